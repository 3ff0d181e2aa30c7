//! Which step waits for which, and why.
//!
//! A step waits for what it names in `dependsOn` and for each step whose output, status or answer
//! its expressions visibly use. Works on numbers of steps, so that names may still be wrong.

use crate::source::Span;

/// Why one step waits for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "because")]
pub enum Why {
    /// `dependsOn` says so.
    DependsOn,
    /// It uses an output of it.
    Output {
        /// Which one; nothing if it may be any.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Its condition asks how the other step ended.
    Status,
    /// It uses the answer that a person gave there.
    Answer,
}

impl Why {
    /// Whether the other step must have *succeeded*. Who asks for a status or an answer decides
    /// that alone.
    #[must_use]
    pub fn needs_success(&self) -> bool {
        matches!(self, Self::DependsOn | Self::Output { .. })
    }
}

/// One reason to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The number of the step that is waited for.
    pub(crate) to: usize,
    pub(crate) why: Why,
    /// Where the text says so.
    pub(crate) span: Span,
}

/// One way around each knot of steps that wait for each other, steps that wait for themselves
/// left out. Takes time in proportion to steps and edges.
pub(crate) fn cycles(edges: &[Vec<Edge>]) -> Vec<Vec<usize>> {
    let component = components(edges);
    let mut done = vec![false; edges.len()];
    let mut cycles = Vec::new();
    for start in 0..edges.len() {
        if done[component[start]] {
            continue;
        }
        done[component[start]] = true;
        if let Some(cycle) = way_around(edges, &component, start) {
            cycles.push(cycle);
        }
    }
    cycles
}

/// The shortest way from a step back to itself inside of its component.
fn way_around(edges: &[Vec<Edge>], component: &[usize], start: usize) -> Option<Vec<usize>> {
    let mut came_from = std::collections::HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(step) = queue.pop_front() {
        for edge in &edges[step] {
            if edge.to == start && step != start {
                let mut cycle = vec![step];
                let mut at = step;
                while at != start {
                    at = came_from[&at];
                    cycle.push(at);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if edge.to != start
                && component[edge.to] == component[start]
                && !came_from.contains_key(&edge.to)
            {
                came_from.insert(edge.to, step);
                queue.push_back(edge.to);
            }
        }
    }
    None
}

/// The number of the strongly connected component of each step (Tarjan's algorithm, on a stack
/// of its own because a chain of 40,000 steps would not fit the thread's).
fn components(edges: &[Vec<Edge>]) -> Vec<usize> {
    const NEW: usize = usize::MAX;
    let mut order = vec![NEW; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut component = vec![NEW; edges.len()];
    let (mut visited, mut found) = (0, 0);
    let mut path = Vec::new();
    let mut frames: Vec<(usize, usize)> = Vec::new();
    for root in 0..edges.len() {
        if order[root] == NEW {
            frames.push((root, 0));
        }
        while let Some((step, next)) = frames.pop() {
            if next == 0 {
                (order[step], low[step]) = (visited, visited);
                visited += 1;
                path.push(step);
            } else {
                let child = edges[step][next - 1].to;
                if component[child] == NEW {
                    low[step] = low[step].min(low[child]);
                }
            }
            if let Some(edge) = edges[step].get(next) {
                frames.push((step, next + 1));
                if order[edge.to] == NEW {
                    frames.push((edge.to, 0));
                }
                continue;
            }
            if low[step] == order[step] {
                while let Some(member) = path.pop() {
                    component[member] = found;
                    if member == step {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[Vec<usize>]) -> Vec<Vec<Edge>> {
        let edge = |&to: &usize| Edge { to, why: Why::DependsOn, span: Span::default() };
        edges.iter().map(|targets| targets.iter().map(edge).collect()).collect()
    }

    #[test]
    fn each_knot_is_found_once_and_by_its_shortest_way() {
        type Steps = Vec<Vec<usize>>;
        let cases: [(Steps, Steps); 8] = [
            (vec![vec![], vec![0], vec![0, 1]], vec![]),
            (vec![vec![0]], vec![]),
            (vec![vec![1], vec![0]], vec![vec![0, 1]]),
            (vec![vec![1], vec![2], vec![0], vec![]], vec![vec![0, 1, 2]]),
            (vec![vec![], vec![2], vec![1], vec![4], vec![3]], vec![vec![1, 2], vec![3, 4]]),
            (vec![vec![1], vec![2], vec![3], vec![0, 1]], vec![vec![0, 1, 2, 3]]),
            (vec![vec![1, 2], vec![2], vec![0]], vec![vec![0, 2]]),
            (vec![vec![1], vec![2, 1], vec![1]], vec![vec![1, 2]]),
        ];
        for (edges, expected) in cases {
            assert_eq!(cycles(&graph(&edges)), expected, "{edges:?}");
        }
    }

    #[test]
    fn a_long_chain_is_no_trouble() {
        let count = 100_000;
        let chain: Vec<Vec<usize>> = (0..count).map(|n| vec![(n + 1) % count]).collect();
        assert_eq!(cycles(&graph(&chain)).first().map(Vec::len), Some(count));
    }
}
