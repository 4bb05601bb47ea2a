//! How long to wait before a job is tried again. Pure arithmetic.

use std::time::Duration;

/// The wait before each retry: `base × factor^(attempt - 1)`, at most `max`, then
/// spread by `jitter` so that jobs that failed together do not return together.
///
/// ```
/// use std::time::Duration;
/// use pgqueuer::Backoff;
///
/// let backoff = Backoff { jitter: 0.0, ..Backoff::DEFAULT };
/// assert_eq!(backoff.delay(1), Duration::from_secs(5));
/// assert_eq!(backoff.delay(3), Duration::from_secs(20));
/// assert_eq!(backoff.delay(30), Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure. Default: 5 s.
    pub base: Duration,
    /// What each further failure multiplies the wait by. Default: 2. From 1 to 100.
    pub factor: f64,
    /// The longest wait, before the jitter. Default: 1 h. At most 100 days.
    pub max: Duration,
    /// The spread, as a share of the wait: 0.1 is give or take 10 %. Default: 0.1.
    /// From 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// 5 s, doubled each time, at most 1 h, give or take 10 %.
    pub const DEFAULT: Self = Self {
        base: Duration::from_secs(5),
        factor: 2.0,
        max: Duration::from_secs(60 * 60),
        jitter: 0.1,
    };

    const LONGEST: Duration = Duration::from_secs(100 * 24 * 60 * 60);

    /// The same wait every time, without jitter.
    #[must_use]
    pub const fn fixed(delay: Duration) -> Self {
        Self {
            base: delay,
            factor: 1.0,
            max: delay,
            jitter: 0.0,
        }
    }

    /// The wait after failure number `attempt`, which counts from 1.
    #[must_use]
    pub fn delay(&self, attempt: u16) -> Duration {
        let exponent = i32::from(attempt.saturating_sub(1));
        let grown = self.base.as_secs_f64() * self.factor.powi(exponent);
        // `min` also turns an infinite product into the maximum.
        let delay = grown.min(self.max.as_secs_f64());
        let spread = 1.0 + self.jitter * (fastrand::f64() * 2.0 - 1.0);
        Duration::try_from_secs_f64(delay * spread).unwrap_or(self.max)
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(1.0..=100.0).contains(&self.factor) {
            return Err(format!("backoff factor is {}, from 1 to 100", self.factor));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(format!("backoff jitter is {}, from 0 to 1", self.jitter));
        }
        if self.max > Self::LONGEST {
            return Err("backoff max is over 100 days".to_owned());
        }
        if self.base > self.max {
            return Err("backoff base is longer than its max".to_owned());
        }
        Ok(())
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fixed_wait_is_the_same_every_time() {
        let backoff = Backoff::fixed(Duration::from_secs(10));
        assert_eq!(backoff.delay(1), Duration::from_secs(10));
        assert_eq!(backoff.delay(30_000), Duration::from_secs(10));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let problem = |change: fn(&mut Backoff)| {
            let mut backoff = Backoff::DEFAULT;
            change(&mut backoff);
            backoff.validate().unwrap_err()
        };
        assert_eq!(
            problem(|it| it.factor = 0.5),
            "backoff factor is 0.5, from 1 to 100"
        );
        assert_eq!(
            problem(|it| it.factor = f64::NAN),
            "backoff factor is NaN, from 1 to 100"
        );
        assert_eq!(
            problem(|it| it.jitter = 1.5),
            "backoff jitter is 1.5, from 0 to 1"
        );
        assert_eq!(
            problem(|it| it.base = Duration::from_secs(7200)),
            "backoff base is longer than its max"
        );
    }

    proptest! {
        #[test]
        fn the_wait_stays_within_its_bounds(
            base in 0_u64..100_000_000,
            longer in 0_u64..8_000_000_000,
            factor in 1.0..100.0_f64,
            jitter in 0.0..=1.0_f64,
            attempt: u16,
        ) {
            let base = Duration::from_millis(base);
            let max = base + Duration::from_millis(longer);
            let delay = Backoff { base, factor, max, jitter }.delay(attempt);
            // A little more than the exact bounds: the arithmetic is in floating point.
            prop_assert!(delay <= max.mul_f64(1.0 + jitter + 1e-9));
            prop_assert!(delay >= base.mul_f64((1.0 - jitter - 1e-9).max(0.0)));
        }

        #[test]
        fn without_jitter_no_wait_is_shorter_than_the_one_before(
            factor in 1.0..100.0_f64,
            attempt in 1_u16..u16::MAX,
        ) {
            let backoff = Backoff { factor, jitter: 0.0, ..Backoff::DEFAULT };
            prop_assert!(backoff.delay(attempt) <= backoff.delay(attempt + 1));
        }
    }
}
