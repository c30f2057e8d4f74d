//! Lines of several sources in one order. Pure.

use crate::logs::LogLine;

/// Merges by time; each source keeps its own order, and a line without a time stays behind the one before it.
pub(super) fn merge(mut sources: Vec<Vec<LogLine>>) -> Vec<LogLine> {
    sources.retain(|source| !source.is_empty());
    if sources.len() < 2 {
        return sources.pop().unwrap_or_default();
    }
    let mut keyed = Vec::with_capacity(sources.iter().map(Vec::len).sum());
    for source in sources {
        let mut last = None;
        for line in source {
            last = line.time.max(last);
            keyed.push((last, line));
        }
    }
    // The sort is stable, so equal times leave a source's lines as they were.
    keyed.sort_by_key(|(time, _)| *time);
    keyed.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Stream;

    fn line(unit: &str, second: Option<i64>) -> LogLine {
        let time = second.map(|second| jiff::Timestamp::from_second(second).expect("a time"));
        LogLine { unit: unit.to_owned(), time, stream: Stream::Merged, message: String::new() }
    }

    #[test]
    fn times_are_merged_and_lines_without_one_stay_where_they_were() {
        let one = vec![line("a", Some(1)), line("b", None), line("c", Some(5))];
        let two = vec![line("x", Some(2)), line("y", Some(4))];
        let units: String = merge(vec![one, two]).into_iter().map(|line| line.unit).collect();
        assert_eq!(units, "abxyc");
    }
}
