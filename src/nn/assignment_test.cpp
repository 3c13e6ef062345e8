// linear_sum_assignment against all permutations.
#include "nn/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "transformers/error.h"

namespace transformers {
namespace {

double total(const std::vector<double>& cost, int64_t columns, const std::vector<std::pair<int64_t, int64_t>>& pairs) {
  double sum = 0;
  for (const auto& [i, j] : pairs) sum += cost[static_cast<size_t>(i * columns + j)];
  return sum;
}

TEST(LinearSumAssignment, FindsTheCheapestOfAllAssignments) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-3, 3);
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {3, 3}, {5, 5}, {2, 6}, {6, 3}, {1, 4}}) {
    std::vector<double> cost(static_cast<size_t>(rows * columns));
    for (double& c : cost) c = uniform(random);
    const auto pairs = linear_sum_assignment(cost, rows, columns);
    ASSERT_EQ(static_cast<int64_t>(pairs.size()), std::min(rows, columns));
    EXPECT_TRUE(std::is_sorted(pairs.begin(), pairs.end()));
    const int64_t n = std::max(rows, columns), k = std::min(rows, columns);
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    double best = 1e9;
    do {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += rows <= columns ? cost[static_cast<size_t>(i * columns + order[static_cast<size_t>(i)])]
                               : cost[static_cast<size_t>(order[static_cast<size_t>(i)] * columns + i)];
      best = std::min(best, sum);
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_NEAR(total(cost, columns, pairs), best, 1e-12);
  }
}
TEST(LinearSumAssignment, ConstantCostsGiveTheIdentity) {
  const auto pairs = linear_sum_assignment(std::vector<double>(9, 1.0), 3, 3);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(pairs[static_cast<size_t>(i)], (std::pair<int64_t, int64_t>(i, i)));
}
TEST(LinearSumAssignment, EmptyAndInvalid) {
  EXPECT_TRUE(linear_sum_assignment({}, 4, 0).empty());
  EXPECT_THROW(linear_sum_assignment({1, std::nan("")}, 1, 2), ValueError);
  EXPECT_THROW(linear_sum_assignment({INFINITY, INFINITY}, 1, 2), ValueError);
  EXPECT_THROW(linear_sum_assignment({1, 2, 3}, 2, 2), ValueError);
}

}  // namespace
}  // namespace transformers
