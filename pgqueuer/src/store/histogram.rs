//! How long things took, without keeping each of them.

use std::time::Duration;

use serde::Serialize;

/// Counts durations in buckets that grow by half an octave: each bound is √2 times the one before,
/// from a millisecond to more than a day. So what is read from it is right within a fifth, and most
/// often within a twentieth, at a few dozen numbers for any number of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Histogram {
    /// Up to the last bucket that has something in it.
    counts: Vec<u64>,
}

/// The first bound, in seconds. What is shorter is in the first bucket.
const FIRST: f64 = 0.001;

/// The last bucket has what is longer than half of its bound, without end.
const BUCKETS: usize = 56;

impl Histogram {
    /// From counts by bucket, as [`counts`](Self::counts) has them.
    #[must_use]
    pub fn from_counts(counts: Vec<u64>) -> Self {
        let mut histogram = Self { counts };
        histogram.trim();
        histogram
    }

    /// How many durations are in each bucket, up to the last that has any.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The upper bound of a bucket, in seconds: 0.001 of the first, then √2 times as much each time.
    #[must_use]
    pub fn bound(bucket: usize) -> f64 {
        FIRST * 2_f64.powf(bucket.min(BUCKETS) as f64 / 2.0)
    }

    /// Adds a duration.
    pub fn record(&mut self, duration: Duration) {
        let bucket = bucket_of(duration.as_secs_f64());
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
    }

    /// Adds what another one has.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
    }

    /// How many durations it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many of them were at most so long, in seconds; for a [`bound`](Self::bound), exactly.
    #[must_use]
    pub fn count_up_to(&self, seconds: f64) -> u64 {
        let bounds = (0..self.counts.len()).map(Self::bound);
        let within = bounds.zip(&self.counts);
        within
            .take_while(|(bound, _)| *bound <= seconds * (1.0 + 1e-9))
            .map(|(_, count)| count)
            .sum()
    }

    /// Which duration a share of them (from 0 to 1) does not exceed: the median for 0.5. `None` if
    /// there are none.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut runs = pgqueuer::Histogram::default();
    /// (1..=100).for_each(|it| runs.record(Duration::from_millis(10 * it)));
    /// let median = runs.quantile(0.5).unwrap();
    /// assert!((0.45..0.55).contains(&median.as_secs_f64()));
    /// ```
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * total as f64).max(1.0);
        let mut below = 0.0;
        for (bucket, count) in self.counts.iter().enumerate() {
            let count = *count as f64;
            if count > 0.0 && below + count >= rank {
                let low = if bucket == 0 {
                    0.0
                } else {
                    Self::bound(bucket - 1)
                };
                let inside = (rank - below) / count;
                let seconds = low + (Self::bound(bucket) - low) * inside;
                return Some(Duration::from_secs_f64(seconds));
            }
            below += count;
        }
        // Not reached: the last bucket takes the rank to the total.
        None
    }

    fn trim(&mut self) {
        self.counts.truncate(BUCKETS);
        while self.counts.last() == Some(&0) {
            self.counts.pop();
        }
    }
}

/// The bucket whose bound is the first that the duration does not exceed.
fn bucket_of(seconds: f64) -> usize {
    if seconds <= FIRST {
        return 0;
    }
    let octaves = (seconds / FIRST).log2();
    // A bound itself belongs to its own bucket, whatever the logarithm makes of its last bit.
    let bucket = (octaves * 2.0 - 1e-9).ceil().min((BUCKETS - 1) as f64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and one of the buckets"
    )]
    let bucket = bucket as usize;
    bucket
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bound_is_in_its_own_bucket() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(Histogram::bound(bucket)), bucket);
        }
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(1e9), BUCKETS - 1);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(Histogram::from_counts(vec![0, 0]), Histogram::default());
    }

    proptest! {
        #[test]
        fn a_quantile_is_right_within_its_bucket(
            mut millis in proptest::collection::vec(1_u64..100_000_000, 1..200),
            share in 0.0_f64..=1.0,
        ) {
            let mut histogram = Histogram::default();
            millis.iter().for_each(|it| histogram.record(Duration::from_millis(*it)));
            millis.sort_unstable();
            let rank = (share * millis.len() as f64).ceil().max(1.0);
            let exact = (1..).zip(&millis).find(|(place, _)| f64::from(*place) >= rank).unwrap().1;
            let exact = *exact as f64 / 1000.0;
            let read = histogram.quantile(share).unwrap().as_secs_f64();
            prop_assert!(read <= exact * 1.4143 + 1e-9, "{read} of {exact}");
            prop_assert!(read >= exact / 1.4143 - 0.001, "{read} of {exact}");
            prop_assert_eq!(histogram.count(), millis.len() as u64);
        }

        #[test]
        fn sums_are_as_if_counted_together(
            one in proptest::collection::vec(0_u64..10_000, 0..50),
            other in proptest::collection::vec(0_u64..10_000, 0..50),
        ) {
            let of = |millis: &[u64]| {
                let mut histogram = Histogram::default();
                millis.iter().for_each(|it| histogram.record(Duration::from_millis(*it)));
                histogram
            };
            let mut sum = of(&one);
            sum.add(&of(&other));
            let both: Vec<u64> = one.into_iter().chain(other).collect();
            prop_assert_eq!(sum, of(&both));
        }
    }
}
