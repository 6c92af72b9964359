//! Bad weather: some answers are at fault, at random, yet the same ones for the same seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::faults::Fault;

/// How much later a late answer comes.
const LATE: Duration = Duration::from_millis(400);

/// Whether there is any, and what comes next.
#[derive(Default)]
pub(crate) struct Weather {
    state: Mutex<Option<State>>,
}

struct State {
    one_in: u64,
    random: u64,
}

impl State {
    /// The next number of `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Whatever this draws, it draws three numbers, so that one answer's kind doesn't decide about the next.
    fn draw(&mut self) -> Option<Fault> {
        let (hit, kind, late) =
            (self.next().is_multiple_of(self.one_in), self.next() % 6, self.next().is_multiple_of(2));
        if !hit {
            return None;
        }
        let any = Fault::everywhere();
        // An error may come before or after the operation took effect; the client can't know.
        let any = if late { any.after_effect() } else { any };
        Some(match kind {
            0 => any.error(500, "Server Error"),
            1 => any.html(),
            2 => any.error(503, "Service Unavailable").header("retry-after", "1"),
            3 => any.reset(),
            4 => any.after_effect().truncated(),
            _ => any.delay(LATE),
        })
    }
}

impl Weather {
    pub(crate) fn set(&self, one_in: u32, seed: u64) {
        let state = (one_in > 0).then(|| State { one_in: u64::from(one_in), random: seed });
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// What happens to the next answer.
    pub(crate) fn next(&self) -> Option<Fault> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.draw()
    }
}

#[cfg(test)]
mod tests {
    use super::Weather;

    fn hits(seed: u64) -> Vec<bool> {
        let weather = Weather::default();
        weather.set(20, seed);
        (0..2_000).map(|_| weather.next().is_some()).collect()
    }

    #[test]
    fn one_answer_in_so_many_is_at_fault_and_the_seed_decides_which() {
        let count = hits(7).iter().filter(|hit| **hit).count();
        assert!((70..130).contains(&count), "{count}");
        assert_eq!(hits(7), hits(7));
        assert_ne!(hits(7), hits(8));
    }

    #[test]
    fn without_weather_nothing_is_at_fault() {
        let weather = Weather::default();
        assert!(weather.next().is_none());
        weather.set(1, 1);
        assert!(weather.next().is_some());
        weather.set(0, 1);
        assert!(weather.next().is_none());
    }
}
