//! Arguments of the commands on datanets and on what is kept of them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use openledger_types::formats::Uses;

use super::version_ref;

#[derive(Debug, Subcommand)]
pub enum Datanet {
    /// Make a datanet; its key stays in the home folder
    Create(Box<Create>),
    /// Clean documents on this machine and contribute them
    Contribute {
        /// Datanet
        datanet_id: u64,
        /// Files, folders, .jsonl or .jsonl.gz
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Field of the text in .jsonl lines
        #[arg(long, default_value = "text")]
        text_field: String,
        /// SPDX expression of these documents
        #[arg(long)]
        license: Option<String>,
        #[command(flatten)]
        uses: UsesArgs,
    },
    /// Seal the next version
    Seal {
        /// Datanet
        datanet_id: u64,
        /// Last height of commits that it takes
        #[arg(long)]
        up_to: Option<u64>,
        /// Wait until everything that can still be challenged is accepted
        #[arg(long)]
        wait: bool,
    },
    /// Return the bonds of a commit after its acceptance window, and pay them out
    Release {
        /// Commit
        commit_id: u64,
    },
    /// Take contributions back
    Withdraw {
        /// Contributions
        #[arg(required = true)]
        contribution_ids: Vec<u64>,
    },
    /// Vote on contributions of a curated datanet
    Curate {
        /// Contributions
        #[arg(required = true)]
        contribution_ids: Vec<u64>,
        /// Reject instead of approve
        #[arg(long, requires = "reason")]
        reject: bool,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// Say that the bond should be taken: spam, theft, poison
        #[arg(long, requires = "reject")]
        slash: bool,
    },
    /// Training access to a datanet that has a price or is not public
    #[command(subcommand)]
    Access(Access),
    /// Coins for data on missing topics
    #[command(subcommand)]
    Bounty(Bounty),
    /// Show a datanet and its newest version
    Show {
        /// Datanet
        datanet_id: u64,
    },
    /// List all datanets
    List,
    /// Give a node the key of a datanet that is not public
    Grant {
        /// Datanet
        datanet_id: u64,
        /// Node
        node_id: u64,
    },
    /// List who has the key of a datanet that is not public
    Readers {
        /// Datanet
        datanet_id: u64,
    },
    /// Put a new key in force and hand it to all readers but those who leave: what contributors give from
    /// then on, they cannot read
    RotateKey {
        /// Datanet
        datanet_id: u64,
        /// Node that leaves; may be repeated
        #[arg(long = "without-node", value_name = "NODE")]
        nodes: Vec<u64>,
        /// Developer that leaves; may be repeated
        #[arg(long = "without-developer", value_name = "ADDRESS")]
        developers: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Access {
    /// Pay the training price and the developer bond, and ask for the key
    Buy {
        /// Datanet
        datanet_id: u64,
    },
    /// Hand the key to a developer who paid
    Grant {
        /// Datanet
        datanet_id: u64,
        /// Developer
        developer: String,
    },
    /// Show one's access and unwrap the key when it has come
    Show {
        /// Datanet
        datanet_id: u64,
    },
    /// Take back what is left
    Leave {
        /// Datanet
        datanet_id: u64,
    },
    /// Credit the contributors with what a model version paid for training
    Claim {
        /// Datanet
        datanet_id: u64,
        /// Model version, such as 3:1
        #[arg(id = "model_version", value_name = "MODEL:VERSION", value_parser = version_ref)]
        version: (u64, u32),
    },
}

#[derive(Debug, Subcommand)]
pub enum Bounty {
    /// Promise coins for data on a topic
    Fund {
        /// Datanet
        datanet_id: u64,
        /// What is missing
        topic: String,
        /// Base units
        #[arg(long)]
        amount: u128,
        /// Blocks until funders may take back what was not awarded
        #[arg(long)]
        blocks: u64,
    },
    /// Add to a bounty
    Add {
        /// Bounty
        bounty_id: u64,
        /// Base units
        amount: u128,
    },
    /// Give a part of it to a contribution
    Award {
        /// Bounty
        bounty_id: u64,
        /// Contribution
        contribution_id: u64,
        /// Base units
        amount: u128,
    },
    /// Take back one's part of an expired bounty
    Leave {
        /// Bounty
        bounty_id: u64,
    },
    /// List the bounties of a datanet
    List {
        /// Datanet
        datanet_id: u64,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// Name
    pub name: String,
    /// What it is about
    #[arg(long, default_value = "")]
    pub description: String,
    /// Who sees the text
    #[arg(long, value_enum, default_value_t = Visible::Public)]
    pub visibility: Visible,
    /// SPDX expression for contributions that name none
    #[arg(long)]
    pub license: String,
    /// Least part of every fee for the data, in basis points
    #[arg(long, default_value_t = 3_000)]
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units
    #[arg(long, default_value_t = 0)]
    pub floor_per_token: u128,
    /// Who decides what a version takes
    #[arg(long, value_enum, default_value_t = PolicyName::Open)]
    pub policy: PolicyName,
    /// Curator of a curated datanet; may be given up to 16 times
    #[arg(long = "curator", value_name = "ADDRESS")]
    pub curators: Vec<String>,
    /// Votes of one kind that decide
    #[arg(long, default_value_t = 1)]
    pub quorum: u8,
    /// What a model version that trains on it pays at its registration, in base units
    #[arg(long, default_value_t = 0)]
    pub training_price: u128,
    #[command(flatten)]
    pub uses: UsesArgs,
}

/// What may be done with contributions, beside their licence; everything that is not forbidden.
#[derive(Clone, Copy, Debug, Args)]
pub struct UsesArgs {
    /// Forbid training on it
    #[arg(long)]
    pub no_train: bool,
    /// Forbid citing it in answers
    #[arg(long)]
    pub no_answer: bool,
    /// Forbid either for money
    #[arg(long)]
    pub no_commercial: bool,
}

impl UsesArgs {
    /// What was said; none when nothing was.
    pub fn uses(self) -> Option<Uses> {
        let uses = Uses { train: !self.no_train, answer: !self.no_answer, commercial: !self.no_commercial };
        (uses != Uses::ALL).then_some(uses)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PolicyName {
    /// Everything that is not challenged
    Open,
    /// What curators approve
    Curated,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Visible {
    /// Everybody
    Public,
    /// Excerpts beside answers
    Excerpt,
    /// Nobody; shares and contributors are still shown
    Sealed,
}

#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Add to the deposit that pays for keeping a datanet
    Fund {
        /// Datanet
        datanet_id: u64,
        /// Base units
        amount: u128,
    },
    /// Have nodes keep what was contributed and is not kept yet
    Place {
        /// Datanet
        datanet_id: u64,
    },
    /// Show deposit, fragments and nodes
    Show {
        /// Datanet
        datanet_id: u64,
    },
}
