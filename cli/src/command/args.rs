//! Commands and flags.

mod data;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use openledger::model::Base;
use openledger_attribution::Weights;
use openledger_types::formats::InfluenceParams;
use openledger_types::msg::model_registry::{Parent, ParentKind};

pub use data::*;

/// Data, models and answers that pay their contributors, on a chain.
#[derive(Debug, Parser)]
#[command(name = "openledger", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command. A flag wins over the environment, that over `config.toml` in the home folder.
#[derive(Debug, Args)]
pub struct Global {
    /// Folder of keys, sessions and journals [default: ~/.openledger]
    #[arg(long, global = true, env = "OPENLEDGER_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// RPC address of the chain, instead of the deployment's
    #[arg(long, global = true, env = "OPENLEDGER_RPC", value_name = "URL")]
    pub rpc: Option<String>,
    /// Deployment file [default: deployment.json in the home folder]
    #[arg(long, global = true, env = "OPENLEDGER_DEPLOYMENT", value_name = "FILE")]
    pub deployment: Option<PathBuf>,
    /// Base URL of the node to use
    #[arg(long, global = true, env = "OPENLEDGER_NODE", value_name = "URL")]
    pub node: Option<String>,
    /// Name of the key to sign with
    #[arg(long, global = true, env = "OPENLEDGER_KEY", value_name = "NAME")]
    pub key: Option<String>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Print less: no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keys of accounts
    #[command(subcommand)]
    Keys(Keys),
    /// Set the contracts up on a chain
    Deploy(Deploy),
    /// Collections of contributed data
    #[command(subcommand)]
    Datanet(Datanet),
    /// Models trained on sealed data
    #[command(subcommand)]
    Model(Model),
    /// Nodes on record
    #[command(subcommand)]
    Node(Node),
    /// Datanets' blobs, kept by many nodes and paid from a deposit
    #[command(subcommand)]
    Storage(Storage),
    /// Sessions that pay for answers
    #[command(subcommand)]
    Session(Session),
    /// Ask a question within a session
    Ask(Ask),
    /// Serve a paid session to programs that speak OpenAI's interface
    Gateway(Gateway),
    /// Counters of the uses of a contribution
    #[command(subcommand)]
    Usage(Usage),
    /// What an account has earned
    Earnings(Earnings),
    /// Credit earnings from all nodes and pay them out
    Claim(Claim),
    /// Earnings to an account of another chain
    #[command(subcommand)]
    Payout(Payout),
    /// Verify a paid answer from chain and public blobs
    Verify(Verify),
    /// Say what drafts would be worth before contributing them; they stay on this machine
    Estimate(Estimate),
    /// Audit a model's attribution: train it again without each contributor and compare with what they are paid
    AuditAttribution(AuditAttribution),
    /// Dispute a paid answer of the class exact: a bond, then every move until arithmetic has decided
    Dispute(Dispute),
    /// Conservation of money in the contracts, term by term
    Invariants,
    /// Give coins of a development chain away, a little at a time
    Faucet(openledger::node::faucet::FaucetArgs),
    /// The main job on a devnet; called by scripts/demo
    #[command(hide = true)]
    Demo(Box<openledger::demo::Args>),
    /// A network on this machine; called by testnet/up
    #[command(hide = true, subcommand)]
    Testnet(openledger::network::Command),
    /// Completions for a shell, on standard output
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key; prints the words to write down
    Add {
        /// Name
        name: String,
    },
    /// Import a key from its words or 64 hexadecimal digits, read from standard input
    Import {
        /// Name
        name: String,
    },
    /// Show a key's address
    Show {
        /// Name
        name: String,
    },
    /// List all keys
    List,
}

#[derive(Debug, Args)]
pub struct Deploy {
    /// Folder with the built contracts
    #[arg(long, value_name = "DIR")]
    pub wasm_dir: PathBuf,
    /// Windows and bounds
    #[arg(long, value_enum, default_value_t = Profile::Default)]
    pub params: Profile,
    /// Chain id
    #[arg(long)]
    pub chain_id: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Profile {
    /// Short windows, for a chain on one machine
    Devnet,
    /// The protocol's windows
    Default,
}

#[derive(Debug, Subcommand)]
pub enum Model {
    /// Train a model on sealed versions
    Train(Train),
    /// Make a model of a GGUF file, or of a folder in Hugging Face's layout, made elsewhere
    Import(Import),
    /// Register a trained model and upload it to a node
    Register(Register),
    /// Show a model and one of its versions
    Show {
        /// Model, or MODEL:VERSION
        #[arg(value_parser = model_ref)]
        model: (u64, Option<u32>),
    },
    /// List all models
    List,
}

#[derive(Debug, Args)]
pub struct Import {
    /// GGUF file (F32, F16, BF16, Q8_0), or folder with config.json, tokenizer.json, model.safetensors
    #[arg(value_name = "PATH")]
    pub source: PathBuf,
    /// Folder for the model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Name in the manifest
    #[arg(long)]
    pub name: String,
    /// How exactly its answers repeat
    #[arg(long, value_enum, default_value = "exact")]
    pub class: NumericClass,
}

/// How exactly a model's answers repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NumericClass {
    /// To the bit, on every processor
    Exact,
    /// Within thresholds
    TolerantF32,
}

impl From<NumericClass> for openledger_types::formats::NumericClass {
    fn from(class: NumericClass) -> Self {
        match class {
            NumericClass::Exact => Self::Exact,
            NumericClass::TolerantF32 => Self::TolerantF32,
        }
    }
}

#[derive(Debug, Args)]
pub struct Train {
    /// Sealed version, as DATANET:VERSION; may be given up to eight times
    #[arg(long = "data", required = true, value_parser = version_ref, value_name = "DATANET:VERSION")]
    pub data: Vec<(u64, u32)>,
    /// Folder for the model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// TOML file with fields of the recipe; the others keep their defaults
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// A model of the class exact, registered or in a folder: an adapter of it is trained, as the recipe's [adapter] says
    #[arg(long, value_parser = base, value_name = "MODEL:VERSION|DIR")]
    pub base: Option<Base>,
    /// Name in the manifest
    #[arg(long)]
    pub name: Option<String>,
    /// How exactly its answers repeat; the recipe's class, or exact
    #[arg(long, value_enum)]
    pub class: Option<NumericClass>,
    /// Seconds of training
    #[arg(long, conflicts_with = "steps")]
    pub seconds: Option<u64>,
    /// Steps of training
    #[arg(long)]
    pub steps: Option<u64>,
    /// Seed of the first weights and of the order of the data
    #[arg(long)]
    pub seed: Option<u64>,
    /// Files or folders that the model has not seen, to measure it on
    #[arg(long, value_name = "PATH")]
    pub heldout: Vec<PathBuf>,
    /// Field of the text in held-out .jsonl lines
    #[arg(long, default_value = "text")]
    pub text_field: String,
    /// What influence, vocabulary and phrases weigh when answers are attributed; it goes into the manifest
    #[arg(long, default_value = "8,1,1", value_parser = weights, value_name = "I,V,P")]
    pub weights: Weights,
    /// Fit them instead: train a model of this shape N times without a half of the data and N times without a
    /// tenth, and keep what predicts best (8 at least; more say more)
    #[arg(long, value_name = "N", conflicts_with_all = ["weights", "base"])]
    pub calibrate: Option<usize>,
}

#[derive(Debug, Args)]
pub struct Register {
    /// The model's folder; or a GGUF file or Hugging Face folder, which is imported first
    #[arg(value_name = "PATH")]
    pub dir: PathBuf,
    /// How exactly the answers of a model that is imported repeat
    #[arg(long, value_enum)]
    pub class: Option<NumericClass>,
    /// Model that gets a new version, instead of a new model
    #[arg(long, value_name = "MODEL")]
    pub model: Option<u64>,
    /// Name of a new model
    #[arg(long, required_unless_present = "model", default_value = "")]
    pub name: String,
    /// What a new model is for
    #[arg(long, default_value = "")]
    pub description: String,
    /// Price of a prompt token, in base units
    #[arg(long)]
    pub price_in: u128,
    /// Price of an answer token, in base units
    #[arg(long)]
    pub price_out: u128,
    /// The developer's part of a fee, in basis points; node and protocol get the rest
    #[arg(long, default_value_t = 2_000)]
    pub developer_bps: u16,
    /// The data's part of a fee, in basis points
    #[arg(long, default_value_t = 5_000)]
    pub data_bps: u16,
    /// Model version that it rests on, as MODEL:VERSION, with :adapter or :teacher when it is not its
    /// base; may be given up to four times
    #[arg(long = "parent", value_parser = parent, value_name = "MODEL:VERSION[:KIND]")]
    pub parents: Vec<Parent>,
    /// What versions that rest on it owe its developer, in basis points of the fee
    #[arg(long, default_value_t = 0)]
    pub royalty_bps: u16,
}

#[derive(Debug, Subcommand)]
pub enum Node {
    /// List nodes with their endpoints
    List,
    /// Join the network with a node: keys, bond, models, service; goes on where an earlier call broke off
    Join(Box<openledger::node::join::JoinArgs>),
    /// Leave the network: everything is settled and paid, then the bond; goes on where an earlier call broke off
    Leave(openledger::node::leave::LeaveArgs),
    /// What the node of this home does and earns
    Dashboard {
        /// Folder of the node [default: node in the home folder]
        #[arg(long, value_name = "DIR")]
        node_home: Option<PathBuf>,
        /// Look once
        #[arg(long)]
        once: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Session {
    /// Open a session; its key stays in the home folder
    Open {
        /// Model, or MODEL:VERSION
        #[arg(value_parser = model_ref)]
        model: (u64, Option<u32>),
        /// Node that may answer, up to four; the best ones that serve the model when absent
        #[arg(long)]
        node_id: Vec<u64>,
        /// How many nodes are chosen when none is named; the deposit is divided among them
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4), conflicts_with = "node_id")]
        nodes: u8,
        /// Deposit in base units, the opening fee not included
        #[arg(long)]
        deposit: u128,
        /// Life in blocks; the longest when absent
        #[arg(long)]
        blocks: Option<u64>,
    },
    /// Show a session as the chain knows it
    Show {
        /// Session
        session_id: u64,
    },
    /// List the sessions of this home folder
    List,
    /// Ask the node to settle
    Settle {
        /// Session
        session_id: u64,
    },
    /// Add to the deposit
    TopUp {
        /// Session
        session_id: u64,
        /// Base units
        amount: u128,
        /// Node whose part grows; the session's first when absent
        #[arg(long)]
        node_id: Option<u64>,
    },
    /// Settle, close and take the refund
    Close {
        /// Session
        session_id: u64,
        /// Seconds that the node gets to settle before the closing starts
        #[arg(long, default_value_t = 60)]
        patience: u64,
    },
}

#[derive(Debug, Args)]
pub struct Ask {
    /// The text to be continued; `-` reads standard input
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub prompt: Option<String>,
    /// Session; the newest of this home folder when absent
    #[arg(long)]
    pub session: Option<u64>,
    /// Most tokens of the answer
    #[arg(long, default_value_t = 64)]
    pub max_tokens: u32,
    /// Temperature, 0 to 2
    #[arg(long, default_value_t = 0.7)]
    pub temperature: f64,
    /// Fetch the answer that an earlier run left under way
    #[arg(long)]
    pub resume: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("paid_by").required(true))]
pub struct Gateway {
    /// Session of this home folder that pays
    #[arg(long, group = "paid_by")]
    pub session: Option<u64>,
    /// Model, or MODEL:VERSION, for which a session is opened now, with the limit as its deposit
    #[arg(long, value_parser = model_ref, group = "paid_by")]
    pub model: Option<(u64, Option<u32>)>,
    /// Most that all answers of the session together may cost, in base units
    #[arg(long)]
    pub limit: u128,
    /// Node of a session that is opened, up to four; the best ones that serve the model when absent
    #[arg(long, conflicts_with = "session")]
    pub node_id: Vec<u64>,
    /// How many nodes are chosen when none is named; one that is lost is replaced by another at once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub nodes: u8,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:11435")]
    pub listen: std::net::SocketAddr,
    /// Settle, close and take the refund at the end
    #[arg(long)]
    pub close: bool,
    /// Seconds that the nodes get to settle before the closing starts
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

#[derive(Debug, Subcommand)]
pub enum Usage {
    /// Show what the chain has counted
    Show {
        /// Contribution
        contribution_id: u64,
    },
    /// Prove answers and trainings that rest on a contribution, and have the chain count them
    Prove {
        /// Contribution
        contribution_id: u64,
        /// Only find and check the proofs
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct Earnings {
    /// Address; that of --key when absent
    pub address: Option<String>,
    /// Show the newest answers that paid, down to the words that they quote
    #[arg(long)]
    pub explain: bool,
    /// Most amounts that are explained
    #[arg(long, default_value_t = 50, requires = "explain")]
    pub most: usize,
}

#[derive(Debug, Args)]
pub struct Claim {
    /// Claim for this address; that of --key when absent; may be repeated
    #[arg(long = "for", value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// Claim for the commons too
    #[arg(long)]
    pub commons: bool,
    /// Credit only, pay nothing out
    #[arg(long)]
    pub no_withdraw: bool,
}

#[derive(Debug, Subcommand)]
pub enum Payout {
    /// Show routes, preference, money and payouts of an account
    Show {
        /// Address; that of --key when absent
        address: Option<String>,
    },
    /// Name the account of another chain that earnings go to
    Set {
        /// Route: the chain's name, see `payout show`
        route: String,
        /// Address there
        remote_addr: String,
    },
    /// Take the preference back: earnings stay on this chain
    Clear,
    /// Pay what the gateway holds out on this chain
    Withdraw,
    /// Send earnings to the chain they are to go to; anyone may, for anyone
    Flush {
        /// Route
        route: String,
        /// Accounts, at most 20; all of the route when absent
        #[arg(long = "for", value_name = "ADDRESS")]
        accounts: Vec<String>,
        /// Denom
        #[arg(long, default_value = openledger::context::DENOM)]
        denom: String,
    },
}

#[derive(Debug, Args)]
pub struct Verify {
    /// File that `ask` wrote, or a receipt's id
    pub answer: String,
    /// Folder for the fetched model, kept afterwards; a fresh one that is removed when absent
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Write the answer with its spans, shares and checks to this file, as one HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Estimate {
    /// Files or folders
    #[arg(required = true, value_name = "FILE")]
    pub paths: Vec<PathBuf>,
    /// Datanet that they are meant for
    #[arg(long, value_name = "DATANET")]
    pub datanet: u64,
    /// Model whose answers would pay them, with a version if not the newest
    #[arg(long, value_name = "MODEL[:VERSION]", value_parser = model_ref)]
    pub model: Option<(u64, Option<u32>)>,
    /// Answers of it that their payers gave you, by file or receipt's id; those of this home folder, when none is named
    #[arg(long, value_name = "ANSWER")]
    pub answer: Vec<String>,
    /// Field of the text in .jsonl lines
    #[arg(long, default_value = "text")]
    pub text_field: String,
}

#[derive(Debug, Args)]
pub struct AuditAttribution {
    /// Model, with a version if not the newest
    #[arg(value_name = "MODEL[:VERSION]", value_parser = model_ref)]
    pub model: (u64, Option<u32>),
    /// Answers of it, by file or receipt's id; all that this home folder keeps, when none is named
    #[arg(long, value_name = "ANSWER")]
    pub answer: Vec<String>,
    /// Files or folders that the model has not seen, as further questions
    #[arg(long, value_name = "PATH")]
    pub heldout: Vec<PathBuf>,
    /// Field of the text in held-out .jsonl lines
    #[arg(long, default_value = "text")]
    pub text_field: String,
    /// Most questions
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub questions: usize,
    /// Contributors that are left out, drawn by the seed; all unless told
    #[arg(long, value_name = "N")]
    pub contributors: Option<usize>,
    /// By what contributors are drawn; the manifest's hash unless told
    #[arg(long, value_name = "TEXT")]
    pub seed: Option<String>,
    /// Memory that a step of training may take, in GiB; a training that may need more is refused
    #[arg(long, value_name = "GIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub memory: u64,
    /// Folder for report and finished trainings; one below this home folder unless told
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Say what it would cost, and stop
    #[arg(long)]
    pub plan: bool,
}

#[derive(Debug, Args)]
pub struct Dispute {
    /// File that `ask` wrote, or a receipt's id
    pub answer: String,
    /// Folder for the fetched model, kept afterwards; a fresh one that is removed when absent
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

fn model_ref(text: &str) -> Result<(u64, Option<u32>), String> {
    let refuse = || format!("{text:?} is neither MODEL nor MODEL:VERSION");
    match text.split_once(':') {
        None => Ok((text.parse().map_err(|_| refuse())?, None)),
        Some((id, version)) => {
            Ok((id.parse().map_err(|_| refuse())?, Some(version.parse().map_err(|_| refuse())?)))
        }
    }
}

/// A registered model, or any other text as a folder; a folder of such a name is given as ./3:2.
fn base(text: &str) -> Result<Base, String> {
    match model_ref(text) {
        Ok((id, Some(version))) => Ok(Base::Registered(id, version)),
        Ok((_, None)) => Err(format!("{text:?} names no version: give MODEL:VERSION, or a folder")),
        Err(_) if text.is_empty() => Err("it is empty".into()),
        Err(_) => Ok(Base::Folder(text.into())),
    }
}

fn parent(text: &str) -> Result<Parent, String> {
    let (reference, kind) = match text.rsplit_once(':') {
        Some((reference, "base")) => (reference, ParentKind::Base),
        Some((reference, "adapter")) => (reference, ParentKind::Adapter),
        Some((reference, "teacher")) => (reference, ParentKind::Teacher),
        _ => (text, ParentKind::Base),
    };
    match model_ref(reference) {
        Ok((model_id, Some(version))) => Ok(Parent { model_id, version, kind }),
        _ => Err(format!("{text:?} is not MODEL:VERSION or MODEL:VERSION:KIND")),
    }
}

fn version_ref(text: &str) -> Result<(u64, u32), String> {
    match model_ref(text) {
        Ok((id, Some(version))) => Ok((id, version)),
        _ => Err(format!("{text:?} is not DATANET:VERSION")),
    }
}

fn weights(text: &str) -> Result<Weights, String> {
    let parts: Vec<u32> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let weights = match (parts.as_slice(), text.split(',').count()) {
        ([influence, lexical, span], 3) => Weights { influence: *influence, lexical: *lexical, span: *span },
        _ => return Err(format!("{text:?} is not INFLUENCE,VOCABULARY,PHRASES, for example 8,1,1")),
    };
    let params = InfluenceParams {
        index_root: Default::default(),
        influence_weight: weights.influence,
        lexical_weight: weights.lexical,
        span_weight: weights.span,
        chance_bps: 0,
    };
    Weights::of(&params).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use openledger_types::formats::Uses;

    use super::*;

    #[test]
    fn weights_are_three_numbers_and_the_default_is_the_library_s() {
        assert_eq!(weights("8,1,1"), Ok(Weights::default()));
        assert_eq!(weights("7, 0, 3").map(|w| w.scheme()), Ok("rkf16-span/1"));
        for wrong in ["", "8,1", "8,1,1,1", "8,x,1", "0,0,0", "10001,1,1", "-1,1,1"] {
            assert!(weights(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn commands_and_flags_do_not_collide() {
        Cli::command().debug_assert();
    }

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("openledger").chain(line.split(' ')))
    }

    #[test]
    fn votes_of_curators_are_read() {
        for good in [
            "datanet curate 3",
            "datanet curate 3 4 5 --reason fine",
            "datanet curate 3 --reject --reason spam",
            "datanet curate 3 --reject --slash --reason spam",
        ] {
            read(good).unwrap();
        }
        for bad in [
            "datanet curate",
            "datanet curate three",
            "datanet curate 3 --reject",
            "datanet curate 3 --slash --reason spam",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn training_access_is_read() {
        let claim = read("datanet access claim 2 3:1").unwrap().command;
        let Command::Datanet(Datanet::Access(Access::Claim { datanet_id, version })) = claim else {
            panic!("{claim:?}")
        };
        assert_eq!((datanet_id, version), (2, (3, 1)));
        for good in ["buy 2", "grant 2 openledger1developer", "show 2", "leave 2"] {
            read(&format!("datanet access {good}")).unwrap();
        }
        for bad in ["buy", "grant 2", "claim 2", "claim 2 3", "claim 2 3:x", "leave -1"] {
            assert!(read(&format!("datanet access {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn bounties_are_read() {
        let award = read("datanet bounty award 1 7 340282366920938463463374607431768211455").unwrap().command;
        let Command::Datanet(Datanet::Bounty(Bounty::Award { bounty_id, contribution_id, amount })) = award
        else {
            panic!("{award:?}")
        };
        assert_eq!((bounty_id, contribution_id, amount), (1, 7, u128::MAX));
        for good in ["fund 1 bread --amount 10 --blocks 5", "add 1 10", "leave 1", "list 1"] {
            read(&format!("datanet bounty {good}")).unwrap();
        }
        for bad in ["fund 1 bread --amount 10", "fund 1 bread --blocks 5", "add 1", "award 1 7", "add 1 -5"] {
            assert!(read(&format!("datanet bounty {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_read() {
        assert_eq!(model_ref("3"), Ok((3, None)));
        assert_eq!(model_ref("3:2"), Ok((3, Some(2))));
        assert_eq!(version_ref("3:2"), Ok((3, 2)));
        for bad in ["", ":", "3:", ":2", "a", "-1", "1:2:3", "99999999999999999999"] {
            assert!(model_ref(bad).is_err(), "{bad}");
        }
        assert!(version_ref("3").is_err());
    }

    #[test]
    fn a_base_is_a_registered_model_or_a_folder() {
        assert_eq!(base("3:2"), Ok(Base::Registered(3, 2)));
        for folder in ["./3:2", "models/base", "3:2:1", "base"] {
            assert_eq!(base(folder), Ok(Base::Folder(folder.into())), "{folder}");
        }
        for bad in ["3", ""] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parents_and_uses_are_read() {
        let kinds = [
            ("3:2", ParentKind::Base),
            ("3:2:adapter", ParentKind::Adapter),
            ("3:2:teacher", ParentKind::Teacher),
        ];
        for (text, kind) in kinds {
            assert_eq!(parent(text), Ok(Parent { model_id: 3, version: 2, kind }), "{text}");
        }
        for bad in ["3", "3:2:friend", ":base", "3:base"] {
            assert!(parent(bad).is_err(), "{bad}");
        }
        let uses =
            |no_train, no_answer, no_commercial| UsesArgs { no_train, no_answer, no_commercial }.uses();
        assert_eq!(uses(false, false, false), None);
        assert_eq!(uses(true, false, true), Some(Uses { train: false, answer: true, commercial: false }));
    }
}
