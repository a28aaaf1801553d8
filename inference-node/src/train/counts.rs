//! How often training saw each contribution, as trees that the chain takes: one a datanet.

use std::collections::BTreeMap;

use openledger_types::formats::{training_leaf, training_root, SumRoot, VersionRef};
use openledger_types::merkle::{Hash, SumNode, Tree};
use openledger_types::msg::datanet::TrainingItem;
use serde::{Deserialize, Serialize};

use super::corpus::Document;
use crate::engine::{Error, Result};

/// How often training saw a contribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingUse {
    /// Contribution.
    pub contribution_id: u64,
    /// Training sequences that held at least one of its tokens.
    pub times_seen: u64,
}

/// The training receipt of one datanet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatanetUses {
    /// Datanet.
    pub datanet_id: u64,
    /// Sorted by contribution.
    pub uses: Vec<TrainingUse>,
}

impl DatanetUses {
    /// The Merkle-sum tree over the counts; its sum is the whole of which each is a part.
    ///
    /// # Errors
    /// `E-TRAIN-009` when the counts overflow or are not sorted.
    pub fn tree(&self) -> Result<Tree<SumNode>> {
        let bad = |what: &str| {
            Error::new(
                "E-TRAIN-009",
                format!("the training counts of datanet {} {what}", self.datanet_id),
                "Use the training receipt as the run wrote it.",
            )
        };
        if self.uses.windows(2).any(|w| w[0].contribution_id >= w[1].contribution_id) {
            return Err(bad("are not sorted by contribution, or one stands twice"));
        }
        let leaves = self.uses.iter().map(|u| training_leaf(u.contribution_id, u.times_seen)).collect();
        Tree::new(leaves).ok_or_else(|| bad("overflow"))
    }

    /// The commitment to the counts.
    ///
    /// # Errors
    /// As [`DatanetUses::tree`].
    pub fn root(&self) -> Result<SumRoot> {
        let tree = self.tree()?;
        Ok(SumRoot::new(tree.root(), tree.len()))
    }

    /// Every contribution with its path, as the contracts take it.
    ///
    /// # Errors
    /// As [`DatanetUses::tree`].
    pub fn items(&self) -> Result<Vec<TrainingItem>> {
        let tree = self.tree()?;
        let item = |(index, used): (u64, &TrainingUse)| TrainingItem {
            contribution_id: used.contribution_id,
            times_seen: used.times_seen,
            index,
            path: tree.prove(index).unwrap_or_default().into(),
        };
        Ok((0u64..).zip(&self.uses).map(item).collect())
    }
}

/// The manifest's training root over the receipts of all datanets, in the order given.
///
/// # Errors
/// As [`DatanetUses::tree`].
pub fn root_of(training: &[DatanetUses]) -> Result<Hash> {
    let trees: Vec<(u64, SumRoot)> =
        training.iter().map(|of| Ok((of.datanet_id, of.root()?))).collect::<Result<_>>()?;
    Ok(training_root(&trees))
}

/// Counts by contribution, grouped by datanet in the order of `datanets`; every one of them has an
/// entry.
pub(crate) fn by_datanet(
    uses: &BTreeMap<u64, u64>,
    documents: &[Document],
    datanets: &[VersionRef],
) -> Vec<DatanetUses> {
    let mut groups: BTreeMap<u64, Vec<TrainingUse>> =
        datanets.iter().map(|version| (version.datanet_id, Vec::new())).collect();
    let home: BTreeMap<u64, u64> = documents.iter().map(|d| (d.contribution_id, d.datanet_id)).collect();
    for (contribution_id, times_seen) in uses {
        let datanet_id = home.get(contribution_id).copied().unwrap_or_default();
        let used = TrainingUse { contribution_id: *contribution_id, times_seen: *times_seen };
        groups.entry(datanet_id).or_default().push(used);
    }
    groups.into_iter().map(|(datanet_id, uses)| DatanetUses { datanet_id, uses }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_types::merkle::verify_inclusion;

    #[test]
    fn every_count_is_proved_by_its_path_and_each_datanet_has_its_tree() {
        let doc = |contribution_id, datanet_id| Document { contribution_id, datanet_id, text: "" };
        let version = |datanet_id| VersionRef {
            datanet_id,
            version: 1,
            root: cosmwasm_std::HexBinary::from(&[0; 32]),
            size: 1,
        };
        let uses = BTreeMap::from([(3, 5), (4, 0), (9, 2), (11, 7)]);
        let docs = [doc(3, 1), doc(4, 2), doc(9, 1), doc(11, 2)];
        let groups = by_datanet(&uses, &docs, &[version(1), version(2), version(7)]);
        assert_eq!(
            groups.iter().map(|g| (g.datanet_id, g.uses.len())).collect::<Vec<_>>(),
            [(1, 2), (2, 2), (7, 0)]
        );
        for group in &groups {
            let root = group.root().unwrap();
            for item in group.items().unwrap() {
                let leaf = training_leaf(item.contribution_id, item.times_seen);
                let path = &item.path;
                assert!(verify_inclusion(&leaf, item.index, root.count, path, &root.node().unwrap()));
            }
        }
        assert_eq!(groups[0].root().unwrap().sum.u128(), 7);
        assert_eq!(groups[2].root().unwrap(), SumRoot::empty());
        let mut twice = groups[0].clone();
        twice.uses.push(twice.uses[0].clone());
        assert_eq!(twice.root().unwrap_err().code, "E-TRAIN-009");
    }
}
