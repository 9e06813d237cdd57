//! What OPA does to the nodes of a text before it reads them, so that what was a document for
//! YAML's older library still is one.
//!
//! Days are texts, keys that come again replace those before, and repeated merges are one.

use std::collections::{HashMap, HashSet};

use super::{
    Context, Result,
    compose::{Kind, NodeId, Nodes},
    decode,
    resolve::{MERGE, SEQUENCE, TEXT, TIMESTAMP},
};

pub(super) fn normalise(
    context: &mut Context<'_, '_>,
    nodes: &mut Nodes,
    root: NodeId,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.get_mut(id);
        if node.is_bare && node.tag == TIMESTAMP {
            TEXT.clone_into(&mut node.tag);
        }
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::Alias(_, target) => open.push(*target),
            Kind::Sequence(content) => open.extend(content.iter().rev()),
            Kind::Mapping(content) => {
                let content = content.clone();
                let content = collapse_merges(nodes, content);
                let content = last_of_each(context, nodes, &content)?;
                open.extend(content.iter().rev());
                nodes.get_mut(id).kind = Kind::Mapping(content);
            }
        }
    }
    Ok(())
}

fn is_merge(nodes: &Nodes, key: NodeId) -> bool {
    let node = nodes.get(key);
    matches!(node.kind, Kind::Scalar(_)) && node.tag == MERGE
}

/// One merge of all in place of several.
fn collapse_merges(nodes: &mut Nodes, content: Vec<NodeId>) -> Vec<NodeId> {
    let mut merged = Vec::new();
    for pair in content
        .chunks_exact(2)
        .filter(|pair| is_merge(nodes, pair[0]))
    {
        match &nodes.get(pair[1]).kind {
            Kind::Sequence(elements) => merged.extend(elements),
            _ => merged.push(pair[1]),
        }
    }
    if merged.len() < 2 {
        return content;
    }
    let mut all = Some(nodes.add(Kind::Sequence(merged), SEQUENCE, false));
    let mut collapsed = Vec::with_capacity(content.len());
    for pair in content.chunks_exact(2) {
        if !is_merge(nodes, pair[0]) {
            collapsed.extend(pair);
        } else if let Some(all) = all.take() {
            collapsed.extend([pair[0], all]);
        }
    }
    collapsed
}

/// Of members with the same key in JSON, the last value in the first's place.
fn last_of_each(
    context: &mut Context<'_, '_>,
    nodes: &Nodes,
    content: &[NodeId],
) -> Result<Vec<NodeId>> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(content.len() / 2);
    let mut kept: Vec<NodeId> = Vec::with_capacity(content.len());
    for pair in content.chunks_exact(2) {
        let is_key =
            matches!(nodes.get(pair[0]).kind, Kind::Scalar(_)) && !is_merge(nodes, pair[0]);
        let key = if is_key {
            decode::key(context, nodes, pair[0])?.and_then(|key| key.text())
        } else {
            None
        };
        if let Some(key) = key {
            if let Some(place) = places.get(&key) {
                kept[*place] = pair[1];
                continue;
            }
            places.insert(key, kept.len() + 1);
        }
        kept.extend(pair);
    }
    Ok(kept)
}
