//! Who requires whom.

use super::Member;

/// The requirements as a graph without cycles: an edge that would close one is left out (see [`cycle`], which names it).
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    requires: Vec<Vec<usize>>,
    dependents: Vec<Vec<usize>>,
    /// Requirements before those that need them.
    order: Vec<usize>,
    depth: Vec<usize>,
}

impl Graph {
    pub(super) fn new(members: &[Member]) -> Self {
        let count = members.len();
        let mut walk = Walk::new(members);
        for at in 0..count {
            walk.visit(at);
        }
        let mut graph = Self {
            requires: walk.requires,
            dependents: vec![Vec::new(); count],
            order: walk.order,
            depth: vec![0; count],
        };
        for (at, requires) in graph.requires.iter().enumerate() {
            for &on in requires {
                if let Some(dependents) = graph.dependents.get_mut(on) {
                    dependents.push(at);
                }
            }
        }
        for at in graph.order.clone() {
            let below = graph.requires(at).iter().filter_map(|&on| graph.depth.get(on)).max();
            let depth = below.map_or(0, |depth| depth + 1);
            if let Some(place) = graph.depth.get_mut(at) {
                *place = depth;
            }
        }
        graph
    }

    pub(super) fn requires(&self, at: usize) -> &[usize] {
        self.requires.get(at).map_or(&[], Vec::as_slice)
    }

    pub(super) fn dependents(&self, at: usize) -> &[usize] {
        self.dependents.get(at).map_or(&[], Vec::as_slice)
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) fn depth(&self, at: usize) -> usize {
        self.depth.get(at).copied().unwrap_or_default()
    }

    /// Everything it requires, however indirectly; without itself.
    pub(super) fn above(&self, at: usize) -> Vec<usize> {
        reach(&self.requires, at)
    }

    /// Everything that requires it, however indirectly; without itself.
    pub(super) fn below(&self, at: usize) -> Vec<usize> {
        reach(&self.dependents, at)
    }

    /// One requires the other, however indirectly, or they are the same.
    pub(super) fn chained(&self, one: usize, other: usize) -> bool {
        one == other || self.above(one).contains(&other) || self.above(other).contains(&one)
    }
}

fn reach(edges: &[Vec<usize>], from: usize) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let mut found = Vec::new();
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        for &to in edges.get(at).into_iter().flatten() {
            if let Some(seen) = seen.get_mut(to).filter(|seen| !**seen) {
                *seen = true;
                found.push(to);
                next.push(to);
            }
        }
    }
    found.sort_unstable();
    found
}

/// A walk in depth, without recursion: a long chain must not end the stack.
struct Walk {
    requires: Vec<Vec<usize>>,
    /// Not seen, on the way, done.
    marks: Vec<Mark>,
    order: Vec<usize>,
    cycle: Option<Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnTheWay,
    Done,
}

impl Walk {
    fn new(members: &[Member]) -> Self {
        let count = members.len();
        let requires = members.iter().map(|member| {
            let mut requires: Vec<usize> = member.requires.iter().copied().filter(|&on| on < count).collect();
            requires.sort_unstable();
            requires.dedup();
            requires
        });
        Self { requires: requires.collect(), marks: vec![Mark::New; count], order: Vec::new(), cycle: None }
    }

    fn mark(&mut self, at: usize, mark: Mark) {
        if let Some(place) = self.marks.get_mut(at) {
            *place = mark;
        }
    }

    fn visit(&mut self, from: usize) {
        if self.marks.get(from) != Some(&Mark::New) {
            return;
        }
        self.mark(from, Mark::OnTheWay);
        let mut way = vec![(from, 0)];
        while let Some((at, index)) = way.pop() {
            let Some(&on) = self.requires.get(at).and_then(|requires| requires.get(index)) else {
                self.mark(at, Mark::Done);
                self.order.push(at);
                continue;
            };
            match self.marks.get(on) {
                Some(Mark::OnTheWay) => {
                    way.push((at, index));
                    self.closed(&way, on, at, index);
                }
                Some(Mark::New) => {
                    way.push((at, index + 1));
                    way.push((on, 0));
                    self.mark(on, Mark::OnTheWay);
                }
                _ => way.push((at, index + 1)),
            }
        }
    }

    /// The edge closes a cycle: it is noted and left out.
    fn closed(&mut self, way: &[(usize, usize)], on: usize, at: usize, index: usize) {
        if self.cycle.is_none() {
            let way = way.iter().map(|(at, _)| *at).skip_while(|at| *at != on);
            self.cycle = Some(way.chain(std::iter::once(on)).collect());
        }
        if let Some(requires) = self.requires.get_mut(at) {
            requires.remove(index);
        }
    }
}

/// A cycle among the requirements, from one service back to itself, if there is one.
pub fn cycle(members: &[Member]) -> Option<Vec<usize>> {
    let mut walk = Walk::new(members);
    for at in 0..members.len() {
        walk.visit(at);
    }
    walk.cycle
}
