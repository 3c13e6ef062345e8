// The linear assignment problem. Reference: D. F. Crouse, "On implementing 2D rectangular assignment algorithms", 2016,
// with the tie-breaking of scipy.optimize.linear_sum_assignment.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace transformers {

/// Pairs (row, column) of least total cost, one for each of the min(rows, columns), ordered by row.
/// cost: row-major. Throws ValueError when an entry is NaN or -infinity, or when infinite entries leave no assignment.
std::vector<std::pair<int64_t, int64_t>> linear_sum_assignment(const std::vector<double>& cost, int64_t rows, int64_t columns);

}  // namespace transformers
