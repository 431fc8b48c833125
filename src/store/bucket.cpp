#include "store/bucket.h"

#include <algorithm>

namespace lineshaft::store {

void add_to_bucket(Bucket& bucket, const Bucket& later) {
    if (later.count == 0) return;
    if (bucket.holds) hold(bucket, bucket.last_time, later.first_time, bucket.last);
    if (bucket.usable > 0 && later.usable > 0 && later.first < bucket.last) {
        ++bucket.resets;
        bucket.reset_from.add(bucket.last);
    }
    // Only a late sample among expired rows is not later: then what was last stays so.
    const bool is_later = bucket.count == 0 || later.last_time >= bucket.last_time;
    if (bucket.count == 0 || later.first_time < bucket.first_time) bucket.first_time = later.first_time;
    if (is_later) {
        bucket.last_time = later.last_time;
        bucket.holds = later.holds;
    }
    bucket.count += later.count;
    bucket.good += later.good;
    bucket.uncertain += later.uncertain;
    bucket.worst = std::max(bucket.worst, later.worst);
    bucket.squares.add(later.squares);
    bucket.integral.add(later.integral);
    bucket.covered += later.covered;
    bucket.resets += later.resets;
    bucket.reset_from.add(later.reset_from);
    if (later.usable == 0) return;
    if (bucket.usable == 0) {
        bucket.min = later.min;
        bucket.max = later.max;
        bucket.first = later.first;
    } else {
        if (later.min < bucket.min) bucket.min = later.min;
        if (later.max > bucket.max) bucket.max = later.max;
    }
    if (is_later || bucket.usable == 0) bucket.last = later.last;
    bucket.sum.add(later.sum);
    bucket.usable += later.usable;
}

double Bucket::increase(double modulus) const {
    if (usable == 0) return nan();
    const bool has_before = before == before;
    const bool fell = has_before && first < before;
    Sum whole;
    if (modulus > 0) {
        whole.add_product(modulus, static_cast<double>(resets + (fell ? 1 : 0)));
    } else {
        whole = reset_from;
        if (fell) whole.add(before);
    }
    whole.add(last);
    whole.add(has_before ? -before : -first);
    return whole.value();
}

double Bucket::spread() const {
    // Σ(x - mean)² = Σx² - (Σx)²/n, in double-double: what cancels is exact in both.
    const double n = static_cast<double>(usable);
    Sum square;  // (hi + lo)², the part below 2^-106 of it left out.
    square.add_product(sum.hi, sum.hi);
    square.add_product(2 * sum.hi, sum.lo);
    square.add(sum.lo * sum.lo);
    const double quotient = square.hi / n;
    const double rest = (std::fma(-quotient, n, square.hi) + square.lo) / n;
    Sum whole = squares;
    whole.add(-quotient);
    whole.add(-rest);
    return whole.value() > 0 ? whole.value() : 0;
}

}  // namespace lineshaft::store
