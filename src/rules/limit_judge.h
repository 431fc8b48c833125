/// Judges one limit of one tag, sample by sample. Pure: it owns no timer and reads no clock, so that the same code runs
/// on live data and over a year of history, with the same result.
///
/// Intuition: a limit is crossed (value beyond the threshold), stays crossed until the value has come back by the
/// deadband, and only counts when it lasted for the on-delay; it ends when it was back for the off-delay
/// (ISA-18.2-2016 §10.5, EEMUA 191 §3).
///
///   value   ___/~~~~\__/~~\____________        threshold, threshold - deadband
///   crossed    |---------------|
///   active       |--------------------|        on-delay, then off-delay
///
/// Time: samples carry source time. A sample older than one already judged is not judged again here (`Late`).
/// A Bad sample says nothing about the value: the state holds, and running delays go on.
#pragma once

#include <optional>

#include "model/quality.h"
#include "registry/snapshot.h"

namespace lineshaft::rules {

class LimitJudge {
public:
    struct Change {
        bool active = false;
        UtcTime time;      // When the delay was over.
        double value = 0;  // Of the sample that crossed (active) or came back (not active).
        Quality quality;
    };

    /// `active`: as it was when the program ended before.
    explicit LimitJudge(const registry::Limit& limit, bool active = false) : limit_(limit), active_(active) {}

    /// Takes the next sample. Both a delay that ran out before it and the sample itself may change the state, so up to
    /// two changes are given, in order of time.
    struct Changes {
        std::optional<Change> first, second;
    };
    Changes judge(UtcTime time, double value, Quality quality);

    /// Says that nothing newer than `now` has come: a running delay may have run out.
    std::optional<Change> pass_time(UtcTime now);

    bool is_active() const { return active_; }
    /// When the running delay ends; none when none runs. For timers.
    UtcTime due() const { return due_; }
    UtcTime judged_until() const { return judged_until_; }
    const registry::Limit& limit() const { return limit_; }

private:
    bool is_beyond(double value) const;
    bool is_back(double value) const;
    void start_delay(UtcTime time, double value, Quality quality);

    registry::Limit limit_;
    bool active_ = false;
    UtcTime judged_until_ = utc_time_min;
    UtcTime due_;       // End of the running delay towards !active_.
    double value_ = 0;  // Of the sample that started the delay.
    Quality quality_;
};

}  // namespace lineshaft::rules
