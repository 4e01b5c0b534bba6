//! Import cycles: a graph of who imports whom, and the edges of it that lie on a cycle.

use std::collections::BTreeMap;

/// How many imports of an edge a report of a cycle shows.
const SHOWN: usize = 5;

/// Who imports whom, with the places where.
#[derive(Debug, Default)]
pub(crate) struct Graph(BTreeMap<String, BTreeMap<String, Vec<String>>>);

impl Graph {
    /// Adds an import, and where it stands.
    pub(crate) fn add(&mut self, from: &str, to: &str, place: String) {
        self.0.entry(from.to_owned()).or_default().entry(to.to_owned()).or_default().push(place);
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut seen, mut next) = (vec![from], vec![from]);
        while let Some(at) = next.pop() {
            for step in self.0.get(at).into_iter().flat_map(BTreeMap::keys) {
                if step == to {
                    return true;
                }
                if !seen.contains(&step.as_str()) {
                    seen.push(step);
                    next.push(step);
                }
            }
        }
        false
    }

    /// Each edge that lies on a cycle. The one with the fewest imports, which comes first, is the
    /// one to cut.
    pub(crate) fn cycles(&self) -> Vec<String> {
        let edges = self.0.iter().flat_map(|(from, to)| to.iter().map(move |(to, places)| (from, to, places)));
        let mut cycle: Vec<_> = edges.filter(|(from, to, _)| self.reaches(to, from)).collect();
        cycle.sort_by_key(|(.., places)| places.len());
        let describe = |(from, to, places): (&String, &String, &Vec<String>)| {
            let shown: Vec<_> = places.iter().take(SHOWN).cloned().collect();
            format!("{from} -> {to}, {} imports:\n  {}", places.len(), shown.join("\n  "))
        };
        cycle.into_iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_edges_on_a_cycle_are_reported() {
        let mut graph = Graph::default();
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")] {
            graph.add(from, to, format!("{from} imports {to}"));
        }
        let edges: Vec<_> = graph.cycles().iter().filter_map(|edge| Some(edge.split_once(',')?.0.to_owned())).collect();
        assert_eq!(edges, ["b -> c", "c -> b"]);
    }
}
