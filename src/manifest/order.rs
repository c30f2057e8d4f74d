//! Dependency order: what is needed comes first, otherwise the order of the file stays.

use super::decode::At;
use super::error::ManifestError;
use super::source::Span;

/// A node on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the way from the root to here, at this depth of the stack.
    Open,
    Done,
}

/// The indices in order. `edges[i]` are those that must come before `i`, each with the place that says so. Cycles go to
/// `errors`, each once, with every place that takes part.
pub(crate) fn order<'a>(
    edges: &[Vec<(usize, Span)>],
    name: impl Fn(usize) -> &'a At<String>,
    errors: &mut Vec<ManifestError>,
) -> Vec<usize> {
    let mut marks = vec![Mark::New; edges.len()];
    let mut order = Vec::with_capacity(edges.len());
    // No recursion: a manifest may be one long chain.
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..edges.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        stack.push((root, 0));
        while let Some((node, next)) = stack.last_mut() {
            let Some((before, _)) = edges[*node].get(*next) else {
                marks[*node] = Mark::Done;
                order.push(*node);
                stack.pop();
                continue;
            };
            *next += 1;
            match marks[*before] {
                Mark::New => {
                    marks[*before] = Mark::Open;
                    stack.push((*before, 0));
                }
                // A service that names itself is told so elsewhere.
                Mark::Open if before != node => errors.push(cycle(*before, &stack, edges, &name)),
                Mark::Open | Mark::Done => {}
            }
        }
    }
    order
}

/// The cycle that the top of the stack closes by needing `first`.
fn cycle<'a>(
    first: usize,
    stack: &[(usize, usize)],
    edges: &[Vec<(usize, Span)>],
    name: &impl Fn(usize) -> &'a At<String>,
) -> ManifestError {
    let begin = stack.iter().position(|(node, _)| *node == first).unwrap_or(0);
    let links: Vec<(usize, Span)> =
        stack[begin..].iter().map(|(node, next)| (*node, edges[*node][next - 1].1)).collect();
    let mut names: Vec<&str> = links.iter().map(|(node, _)| name(*node).value.as_str()).collect();
    names.push(&name(first).value);
    let shown = if names.len() > 12 {
        format!("{} -> ... -> {}", names[..10].join(" -> "), names[names.len() - 1])
    } else {
        names.join(" -> ")
    };
    let (last, at) = links[links.len() - 1];
    let error = ManifestError::new(at, format!("these services wait for each other: {shown}"));
    let error = error.expected(format!("`{}` needs `{}`", name(last).value, name(first).value));
    let error = links[..links.len() - 1].iter().take(10).enumerate().fold(error, |error, (i, (node, at))| {
        error.related(*at, format!("`{}` needs `{}`", name(*node).value, names[i + 1]))
    });
    error.hint("remove one of them from `after`, `requires` or `wants`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(edges: &[&[usize]]) -> (Vec<usize>, Vec<String>) {
        let names: Vec<At<String>> =
            (0..edges.len()).map(|i| At { value: format!("s{i}"), at: Span::default() }).collect();
        let edges: Vec<Vec<(usize, Span)>> =
            edges.iter().map(|list| list.iter().map(|to| (*to, Span::default())).collect()).collect();
        let mut errors = Vec::new();
        let order = order(&edges, |i| &names[i], &mut errors);
        (order, errors.into_iter().map(|error| error.message).collect())
    }

    #[test]
    fn what_is_needed_comes_first_and_the_rest_stays() {
        assert_eq!(run(&[&[], &[], &[]]).0, [0, 1, 2]);
        assert_eq!(run(&[&[2], &[], &[]]).0, [2, 0, 1]);
        assert_eq!(run(&[&[1, 2], &[3], &[3], &[]]).0, [3, 1, 2, 0]);
    }

    #[test]
    fn cycles_are_named_once() {
        let (order, errors) = run(&[&[1], &[2], &[0], &[0]]);
        assert_eq!(errors, ["these services wait for each other: s0 -> s1 -> s2 -> s0"]);
        assert_eq!(order.len(), 4);
        assert!(run(&[&[0]]).1.is_empty());
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let chain: Vec<Vec<usize>> = (0..200_000).map(|i| if i == 199_999 { vec![] } else { vec![i + 1] }).collect();
        let edges: Vec<&[usize]> = chain.iter().map(Vec::as_slice).collect();
        assert_eq!(run(&edges).0[0], 199_999);
    }
}
