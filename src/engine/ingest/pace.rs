//! How fast a job goes of late, and how long it still takes at that speed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::store::JobRecord;

/// What counts as of late.
const LATE: Duration = Duration::from_secs(10);

/// How far a job was at a few moments.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<Moment>);

#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    at: Duration,
    documents: u64,
    chunks: u64,
    bytes: u64,
}

impl Moment {
    fn of(record: &JobRecord) -> Self {
        Self {
            at: Duration::from_millis(record.took_ms),
            documents: record.done(),
            chunks: record.chunks,
            bytes: record.bytes_done,
        }
    }
}

impl Pace {
    /// Writes the speed of late into the record of a job that goes on.
    pub fn tell(&mut self, record: &mut JobRecord) {
        let now = Moment::of(record);
        while self.0.get(1).is_some_and(|next| next.at + LATE <= now.at) {
            self.0.pop_front();
        }
        let first = *self.0.front().unwrap_or(&Moment::default());
        self.0.push_back(now);
        speed(record, first, now);
        let rate = a_second(now.bytes - first.bytes, now.at.saturating_sub(first.at));
        let left = record.bytes.saturating_sub(record.bytes_done) as f64;
        // Some sources tell the size of what they list only when it is read.
        let is_known = left > 0.0 || record.done() == record.documents;
        record.left_ms = (rate > 0.0 && is_known).then(|| (left / rate * 1000.0) as u64);
    }

    /// Writes the speed all in all into the record of a job that has ended.
    pub fn end(record: &mut JobRecord) {
        speed(record, Moment::default(), Moment::of(record));
        record.left_ms = None;
    }
}

fn speed(record: &mut JobRecord, first: Moment, last: Moment) {
    let time = last.at.saturating_sub(first.at);
    record.documents_per_s = a_second(last.documents.saturating_sub(first.documents), time);
    record.chunks_per_s = a_second(last.chunks.saturating_sub(first.chunks), time);
}

/// To one decimal.
fn a_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        return 0.0;
    }
    (count as f64 / time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_late_and_in_the_end_that_of_all() {
        let mut pace = Pace::default();
        let mut record = JobRecord {
            documents: 100,
            bytes: 10_000,
            ..JobRecord::default()
        };
        let mut check = |(seconds, documents, bytes): (u64, u64, u64), expected: (f64, f64, Option<u64>)| {
            record.took_ms = seconds * 1000;
            (record.added, record.chunks, record.bytes_done) = (documents, documents * 3, bytes);
            pace.tell(&mut record);
            assert_eq!((record.documents_per_s, record.chunks_per_s, record.left_ms), expected);
        };
        check((0, 0, 0), (0.0, 0.0, None));
        check((5, 10, 1_000), (2.0, 6.0, Some(45_000)));
        check((10, 60, 6_000), (6.0, 18.0, Some(6_666)));
        check((20, 80, 8_000), (2.0, 6.0, Some(10_000)));
        record.bytes = 8_000;
        pace.tell(&mut record);
        assert_eq!(record.left_ms, None);
        Pace::end(&mut record);
        assert_eq!((record.documents_per_s, record.left_ms), (4.0, None));
    }
}
