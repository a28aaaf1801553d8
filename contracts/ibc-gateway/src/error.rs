//! Why the gateway refuses.

use cosmwasm_std::{OverflowError, StdError, Uint128};
use openledger_contract::CommonError;
use openledger_types::msg::gateway::PayoutState;
use thiserror::Error;

/// Refusals. Each says what to do where something can be done.
#[derive(Error, Debug)]
pub enum ContractError {
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// That do not depend on the contract.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// Checked maths; unreachable while the invariants hold, except for absurd amounts on entry.
    #[error(transparent)]
    Overflow(#[from] OverflowError),

    /// No such route.
    #[error("route {name} does not exist: see the query routes")]
    RouteNotFound {
        /// Name.
        name: String,
    },
    /// Another route has the channel.
    #[error("{channel_id} belongs to route {name}")]
    ChannelTaken {
        /// Channel.
        channel_id: String,
        /// Route.
        name: String,
    },
    /// No such payout.
    #[error("payout {payout_id} does not exist")]
    PayoutNotFound {
        /// Payout.
        payout_id: u64,
    },
    /// No open payout has that packet.
    #[error("no open payout was sent as packet {sequence} over {channel_id}")]
    PacketNotFound {
        /// Channel.
        channel_id: String,
        /// Sequence.
        sequence: u64,
    },
    /// No pay-in came with that packet.
    #[error("no pay-in came as packet {sequence} over {channel_id}")]
    PayInNotFound {
        /// Channel.
        channel_id: String,
        /// Sequence.
        sequence: u64,
    },
    /// A payout that is not where the message needs it.
    #[error("payout {payout_id} is {state:?}, and not overdue")]
    NotUnresolved {
        /// Payout.
        payout_id: u64,
        /// Where it stands.
        state: PayoutState,
    },
    /// A refund that no coins cover.
    #[error("{surplus} base units belong to nobody, less than asked for")]
    AboveSurplus {
        /// Coins beyond what is owed.
        surplus: Uint128,
    },
    /// Nothing to pay.
    #[error("nothing to pay out in these denoms")]
    NothingToWithdraw {},
    /// A list that is empty or too long.
    #[error("{list} refused: {reason}")]
    BadBatch {
        /// List.
        list: &'static str,
        /// Rule that is broken.
        reason: &'static str,
    },
    /// No preference to take back.
    #[error("the sender has set no preference")]
    NoPreference {},
    /// A signature that is not the key's, or not in its one form.
    #[error("the signature of the close is not valid: 64 bytes, low s, by the session's key")]
    BadSignature {},
    /// A packet that was sent before.
    #[error("packet {sequence} over {channel_id} carries another payout")]
    DuplicatePacket {
        /// Channel.
        channel_id: String,
        /// Sequence.
        sequence: u64,
    },
    /// An answer of the chain that cannot be read.
    #[error("the answer to a sub-message cannot be read")]
    UnreadableReply {},
    /// Not ours.
    #[error("reply to an unknown message {id}")]
    UnknownReply {
        /// Its number.
        id: u64,
    },
}

/// Result of a handler.
pub type ContractResult<T> = Result<T, ContractError>;
