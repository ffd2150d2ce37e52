//! Which function calls which: a module in, reachability and recursion out.
//!
//! Indirect calls are approximated by type: a `call_indirect` may reach every function of its
//! type whose address is taken. One node per function type stands between the callers and the
//! possible targets, so the graph stays linear in the size of the module.

use petgraph::graph::DiGraph;
use rustc_hash::FxHashMap;
use wasmparser::FuncType;

use crate::module::{Module, SiteKind};

/// The call graph of a module.
#[derive(Debug)]
pub struct CallGraph {
    /// Successors of each node: functions first, then one node per type in `type_nodes`.
    successors: Vec<Vec<u32>>,
    /// Node of each function type that is called indirectly.
    type_nodes: FxHashMap<u32, u32>,
    functions: usize,
}

/// The functions whose address is taken, by type.
type ByType<'m> = FxHashMap<Option<&'m FuncType>, Taken>;

/// Functions of one type.
#[derive(Default)]
struct Taken {
    /// Moves to the node's successors when there is a node.
    functions: Vec<u32>,
    node: Option<u32>,
}

/// Which functions are recursive, and where each recursion is folded.
#[derive(Debug)]
pub struct Recursion {
    /// Strongly connected component of each node.
    component: Vec<u32>,
    /// Whether the component holds a cycle.
    cyclic: Vec<bool>,
    /// Position of each node in a depth-first walk over direct calls inside its component.
    entered: Vec<u32>,
    left: Vec<u32>,
}

impl CallGraph {
    /// Builds the graph.
    pub fn new(module: &Module<'_>) -> CallGraph {
        #[cfg(test)]
        crate::module::steps::count("call graph");
        let functions = module.functions.len();
        let mut graph = CallGraph {
            successors: vec![Vec::new(); functions],
            type_nodes: FxHashMap::default(),
            functions,
        };
        let mut by_type = ByType::default();
        for &function in &module.address_taken {
            by_type.entry(module.function_type(function)).or_default().functions.push(function);
        }
        for (caller, function) in module.functions.iter().enumerate() {
            for site in function.body.iter().flat_map(|body| &body.sites) {
                let callee = match site.kind {
                    SiteKind::Call(callee) | SiteKind::ReturnCall(callee) => callee,
                    SiteKind::CallIndirect(type_index) => {
                        graph.type_node(module, &mut by_type, type_index)
                    }
                    _ => continue,
                };
                graph.successors[caller].push(callee);
            }
        }
        for successors in &mut graph.successors {
            successors.sort_unstable();
            successors.dedup();
        }
        graph
    }

    /// The node that stands for "any function of this type whose address is taken". Types that
    /// are alike share a node.
    fn type_node<'m>(
        &mut self,
        module: &'m Module<'_>,
        by_type: &mut ByType<'m>,
        type_index: u32,
    ) -> u32 {
        if let Some(&node) = self.type_nodes.get(&type_index) {
            return node;
        }
        let taken = by_type.entry(module.types[type_index as usize].as_ref()).or_default();
        let node = *taken.node.get_or_insert(self.successors.len() as u32);
        if node as usize == self.successors.len() {
            self.successors.push(std::mem::take(&mut taken.functions));
        }
        self.type_nodes.insert(type_index, node);
        node
    }

    /// The node an indirect call of this type goes to.
    pub fn indirect_node(&self, type_index: u32) -> Option<u32> {
        self.type_nodes.get(&type_index).copied()
    }

    /// The nodes that a node leads to directly.
    pub fn successors(&self, node: u32) -> &[u32] {
        &self.successors[node as usize]
    }

    /// For every node, whether it is one of `targets` or can lead to one of them.
    pub fn reaching(&self, targets: impl IntoIterator<Item = u32>) -> Vec<bool> {
        self.reaching_past(targets, |_| false)
    }

    /// For every node, whether it is one of `targets` or can lead to one of them, neither being
    /// nor passing a node for which `blocked` holds.
    pub fn reaching_past(
        &self,
        targets: impl IntoIterator<Item = u32>,
        blocked: impl Fn(u32) -> bool,
    ) -> Vec<bool> {
        let mut predecessors = vec![Vec::new(); self.successors.len()];
        for (node, successors) in self.successors.iter().enumerate() {
            for &successor in successors {
                predecessors[successor as usize].push(node as u32);
            }
        }
        flood(&predecessors, targets, |node| !blocked(node))
    }

    /// For every node, whether `roots` can lead to it without passing through a node for which
    /// `blocked` holds.
    pub fn reachable(
        &self,
        roots: impl IntoIterator<Item = u32>,
        blocked: impl Fn(u32) -> bool,
    ) -> Vec<bool> {
        flood(&self.successors, roots, |node| !blocked(node))
    }

    /// Finds the recursive functions and the edges at which their contexts are folded.
    pub fn recursion(&self) -> Recursion {
        let component = self.components();
        let mut members = vec![0u32; component.iter().max().map_or(0, |c| *c as usize + 1)];
        for &c in &component {
            members[c as usize] += 1;
        }
        let cyclic = (0..self.successors.len())
            .map(|node| {
                members[component[node] as usize] > 1
                    || self.successors[node].contains(&(node as u32))
            })
            .collect();
        let mut recursion = Recursion {
            component,
            cyclic,
            entered: vec![0; self.successors.len()],
            left: vec![0; self.successors.len()],
        };
        self.walk_direct_calls(&mut recursion);
        recursion
    }

    /// Numbers the functions of each cyclic component in the order in which a depth-first walk
    /// over direct calls enters and leaves them. It starts at the functions that are called from
    /// outside the component, so that these are the heads of the recursion.
    fn walk_direct_calls(&self, recursion: &mut Recursion) {
        let mut called_from_outside = vec![false; self.functions];
        for caller in 0..self.successors.len() {
            for &callee in &self.successors[caller] {
                if (callee as usize) < self.functions
                    && recursion.component[caller] != recursion.component[callee as usize]
                {
                    called_from_outside[callee as usize] = true;
                }
            }
        }
        let order = (0..self.functions)
            .filter(|&f| called_from_outside[f])
            .chain((0..self.functions).filter(|&f| !called_from_outside[f]));
        let mut clock = 0;
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for root in order {
            if recursion.entered[root] != 0 || !recursion.cyclic[root] {
                continue;
            }
            clock += 1;
            recursion.entered[root] = clock;
            stack.push((root, 0));
            while let Some((node, next)) = stack.last_mut() {
                let (from, successor) = (*node, self.successors[*node].get(*next).copied());
                *next += 1;
                let Some(successor) = successor.map(|s| s as usize) else {
                    clock += 1;
                    recursion.left[from] = clock;
                    stack.pop();
                    continue;
                };
                let inside = successor < self.functions
                    && recursion.component[successor] == recursion.component[from];
                if inside && recursion.entered[successor] == 0 {
                    clock += 1;
                    recursion.entered[successor] = clock;
                    stack.push((successor, 0));
                }
            }
        }
    }

    /// The strongly connected component of every node.
    fn components(&self) -> Vec<u32> {
        let edges = self.successors.iter().enumerate().flat_map(|(node, successors)| {
            successors.iter().map(move |&successor| (node as u32, successor))
        });
        let mut graph = DiGraph::<(), ()>::from_edges(edges);
        while graph.node_count() < self.successors.len() {
            graph.add_node(());
        }
        let mut component = vec![0; self.successors.len()];
        for (number, members) in petgraph::algo::kosaraju_scc(&graph).iter().enumerate() {
            for member in members {
                component[member.index()] = number as u32;
            }
        }
        component
    }
}

impl Recursion {
    /// Whether a node lies on a cycle.
    pub fn is_cyclic(&self, node: u32) -> bool {
        self.cyclic[node as usize]
    }

    /// Whether two nodes lie on a common cycle.
    pub fn same_cycle(&self, from: u32, to: u32) -> bool {
        self.cyclic[from as usize] && self.component[from as usize] == self.component[to as usize]
    }

    /// Whether a direct call closes a cycle: its callee was still being walked when the walk
    /// came to the call. Every cycle of direct calls holds such a call.
    pub fn closes_cycle(&self, caller: u32, callee: u32) -> bool {
        let (caller, callee) = (caller as usize, callee as usize);
        self.same_cycle(caller as u32, callee as u32)
            && self.entered[callee] <= self.entered[caller]
            && self.left[caller] <= self.left[callee]
    }
}

/// The nodes that `starts` lead to, through nodes that `enter` admits.
fn flood(
    edges: &[Vec<u32>],
    starts: impl IntoIterator<Item = u32>,
    enter: impl Fn(u32) -> bool,
) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut pending: Vec<u32> = starts.into_iter().collect();
    while let Some(node) = pending.pop() {
        if !seen[node as usize] && enter(node) {
            seen[node as usize] = true;
            pending.extend(&edges[node as usize]);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recursion(wat: &str) -> Recursion {
        let wasm = wat::parse_str(wat).unwrap();
        CallGraph::new(&Module::parse(&wasm).unwrap()).recursion()
    }

    #[test]
    fn every_cycle_of_direct_calls_is_closed_once() {
        let recursion = recursion(
            "(module
                (func $main (export \"main\") call $expression)
                (func $factor call $expression)
                (func $expression call $term call $leaf)
                (func $term call $factor call $term)
                (func $leaf))",
        );
        let [main, factor, expression, term, leaf] = [0, 1, 2, 3, 4];
        assert!(recursion.closes_cycle(factor, expression), "back to the head of the recursion");
        assert!(recursion.closes_cycle(term, term), "self recursion");
        assert!(!recursion.closes_cycle(main, expression));
        assert!(!recursion.closes_cycle(expression, term));
        assert!(!recursion.closes_cycle(term, factor));
        assert!(!recursion.is_cyclic(leaf) && !recursion.is_cyclic(main));
    }

    #[test]
    fn indirect_calls_go_by_type() {
        let wasm = wat::parse_str(
            "(module
                (table 2 funcref) (elem (i32.const 0) $taken)
                (func $taken (param i32) call $target)
                (func $same_type_not_taken (param i32) call $target)
                (func $caller i32.const 0 i32.const 0 call_indirect (param i32))
                (func $target))",
        )
        .unwrap();
        let graph = CallGraph::new(&Module::parse(&wasm).unwrap());
        assert_eq!(graph.reaching([3])[..4], [true, true, true, true]);
        let [taken, other] = [0, 1];
        let reachable = graph.reachable([2], |_| false);
        assert!(reachable[taken] && !reachable[other]);
    }
}
