// Shortest augmenting paths (a modified Jonker-Volgenant algorithm), O(n^3).
#include "nn/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "transformers/error.h"

namespace transformers {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Solver {
  const std::vector<double>& cost;  // rows <= columns
  int64_t rows, columns;
  std::vector<double> u, v, shortest;
  std::vector<int64_t> path, column_of, row_of, remaining;
  std::vector<char> row_seen, column_seen;

  Solver(const std::vector<double>& c, int64_t r, int64_t n)
      : cost(c), rows(r), columns(n), u(size(r)), v(size(n)), shortest(size(n)), path(size(n), -1), column_of(size(r), -1), row_of(size(n), -1),
        remaining(size(n)), row_seen(size(r)), column_seen(size(n)) {}
  static size_t size(int64_t n) { return static_cast<size_t>(n); }

  // Grows a tree of alternating paths from `row` until it meets a free column; returns that column and the path's length.
  std::pair<int64_t, double> search(int64_t row) {
    std::fill(row_seen.begin(), row_seen.end(), 0);
    std::fill(column_seen.begin(), column_seen.end(), 0);
    std::fill(shortest.begin(), shortest.end(), kInfinity);
    for (int64_t j = 0; j < columns; ++j) remaining[size(j)] = columns - j - 1;  // this order makes constant costs give the identity
    int64_t left = columns, i = row;
    for (double reached = 0;;) {
      row_seen[size(i)] = 1;
      int64_t best = -1;
      double lowest = kInfinity;
      for (int64_t at = 0; at < left; ++at) {
        const size_t j = size(remaining[size(at)]);
        const double length = reached + cost[size(i * columns) + j] - u[size(i)] - v[j];
        if (length < shortest[j]) path[j] = i, shortest[j] = length;
        // Among equals a free column ends the search at once.
        if (shortest[j] < lowest || (shortest[j] == lowest && row_of[j] < 0)) lowest = shortest[j], best = at;
      }
      reached = lowest;
      if (reached == kInfinity) throw ValueError("linear_sum_assignment: the cost matrix is infeasible");
      const int64_t j = remaining[size(best)];
      column_seen[size(j)] = 1;
      remaining[size(best)] = remaining[size(--left)];
      if (row_of[size(j)] < 0) return {j, reached};
      i = row_of[size(j)];
    }
  }

  void run() {
    for (int64_t row = 0; row < rows; ++row) {
      auto [sink, reached] = search(row);
      u[size(row)] += reached;
      for (int64_t i = 0; i < rows; ++i)
        if (row_seen[size(i)] && i != row) u[size(i)] += reached - shortest[size(column_of[size(i)])];
      for (int64_t j = 0; j < columns; ++j)
        if (column_seen[size(j)]) v[size(j)] -= reached - shortest[size(j)];
      for (int64_t j = sink;;) {  // flips the path
        const int64_t i = path[size(j)];
        row_of[size(j)] = i;
        std::swap(column_of[size(i)], j);
        if (i == row) break;
      }
    }
  }
};

}  // namespace

std::vector<std::pair<int64_t, int64_t>> linear_sum_assignment(const std::vector<double>& cost, int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0 || static_cast<int64_t>(cost.size()) != rows * columns)
    throw ValueError({"linear_sum_assignment: expected ", rows, " x ", columns, " costs, got ", cost.size()});
  for (const double c : cost)
    if (std::isnan(c) || c == -kInfinity) throw ValueError("linear_sum_assignment: the cost matrix has invalid entries");
  std::vector<std::pair<int64_t, int64_t>> pairs;
  if (rows == 0 || columns == 0) return pairs;
  if (rows <= columns) {
    Solver s(cost, rows, columns);
    s.run();
    for (int64_t i = 0; i < rows; ++i) pairs.emplace_back(i, s.column_of[static_cast<size_t>(i)]);
    return pairs;
  }
  std::vector<double> turned(cost.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) turned[static_cast<size_t>(j * rows + i)] = cost[static_cast<size_t>(i * columns + j)];
  Solver s(turned, columns, rows);
  s.run();
  for (int64_t j = 0; j < columns; ++j) pairs.emplace_back(s.column_of[static_cast<size_t>(j)], j);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace transformers
