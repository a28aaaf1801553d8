//! Which step opens the next piece of a path: client, connection, channel (ICS-2, ICS-3, ICS-4).
//!
//! Everything follows from what the chains say, so a handshake that was interrupted anywhere goes on
//! where it stopped, and a path that is complete is found again instead of being made twice.

use super::state::{Phase, Side};

/// A connection or channel end in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its id.
    pub id: String,
    /// Its state.
    pub phase: Phase,
    /// Id of the other end; empty until it is known here.
    pub counterparty: String,
}

/// What one chain has of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkEnd {
    /// The client of the other chain that may be used.
    pub client: Option<String>,
    /// Connections over that client to the other chain's.
    pub connections: Vec<End>,
    /// Channels of the wanted kind over the chosen connection.
    pub channels: Vec<End>,
}

/// A layer of the path that has a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Connection.
    Connection,
    /// Channel.
    Channel,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a client of the other chain.
    CreateClient(Side),
    /// First step of a handshake.
    Init(Layer, Side),
    /// Second step, for the other chain's end with this id.
    Try(Layer, Side, String),
    /// Third step: this end, the other end.
    Ack(Layer, Side, String, String),
    /// Last step: this end, the other end.
    Confirm(Layer, Side, String, String),
    /// The connection is open at both ends; the channels over it are to be read.
    ConnectionOpen(String, String),
    /// The channel is open at both ends.
    Done(String, String),
}

/// The next step; `connection` is the pair of connections whose channels `a` and `b` hold, once chosen.
pub fn next_step(a: &LinkEnd, b: &LinkEnd, connection: Option<(&str, &str)>) -> Step {
    if a.client.is_none() {
        return Step::CreateClient(Side::A);
    }
    if b.client.is_none() {
        return Step::CreateClient(Side::B);
    }
    match connection {
        None => match layer_step(Layer::Connection, &a.connections, &b.connections) {
            Ok((near, far)) => Step::ConnectionOpen(near, far),
            Err(step) => step,
        },
        Some(_) => match layer_step(Layer::Channel, &a.channels, &b.channels) {
            Ok((near, far)) => Step::Done(near, far),
            Err(step) => step,
        },
    }
}

/// An open pair, or the step that leads to one.
type Found = Result<(String, String), Step>;

/// The open pair, or the step that brings the most advanced pair on.
fn layer_step(layer: Layer, a: &[End], b: &[End]) -> Found {
    let mut best: Option<(u8, Found)> = None;
    let mut offer = |rank: u8, found: Found| {
        // The first of equals wins: lists come in the order of the ids' numbers.
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, found));
        }
    };
    for (near, far) in a.iter().flat_map(|near| b.iter().map(move |far| (near, far))) {
        if let Some((rank, found)) = pair_step(layer, near, far) {
            offer(rank, found);
        }
    }
    let lonely = |end: &End, others: &[End]| {
        end.phase == Phase::Init && !others.iter().any(|o| o.counterparty == end.id)
    };
    for end in a.iter().filter(|end| lonely(end, b)) {
        offer(1, Err(Step::Try(layer, Side::B, end.id.clone())));
    }
    for end in b.iter().filter(|end| lonely(end, a)) {
        offer(1, Err(Step::Try(layer, Side::A, end.id.clone())));
    }
    best.map_or(Err(Step::Init(layer, Side::A)), |(_, found)| found)
}

/// What a pair of ends needs; none when the two do not belong together or are of no use.
fn pair_step(layer: Layer, near: &End, far: &End) -> Option<(u8, Found)> {
    let near_knows = near.counterparty == far.id;
    let far_knows = far.counterparty == near.id;
    let (a, b) = (near.id.clone(), far.id.clone());
    match (near.phase, far.phase) {
        (Phase::Open, Phase::Open) if near_knows && far_knows => Some((4, Ok((a, b)))),
        (Phase::Open, Phase::TryOpen) if near_knows && far_knows => {
            Some((3, Err(Step::Confirm(layer, Side::B, b, a))))
        }
        (Phase::TryOpen, Phase::Open) if near_knows && far_knows => {
            Some((3, Err(Step::Confirm(layer, Side::A, a, b))))
        }
        (Phase::Init, Phase::TryOpen) if far_knows => Some((2, Err(Step::Ack(layer, Side::A, a, b)))),
        (Phase::TryOpen, Phase::Init) if near_knows => Some((2, Err(Step::Ack(layer, Side::B, b, a)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries a step out as ibc-go v10 does; refuses what it would refuse.
    fn apply(step: &Step, ends: &mut [Vec<End>; 2], layer: Layer) {
        let index = |side: Side| usize::from(side == Side::B);
        match step {
            Step::Init(l, side) if *l == layer => {
                let list = &mut ends[index(*side)];
                list.push(End {
                    id: format!("{}-{}", index(*side), list.len()),
                    phase: Phase::Init,
                    counterparty: String::new(),
                });
            }
            Step::Try(l, side, of) if *l == layer => {
                let theirs = ends[index(side.other())].iter().find(|e| e.id == *of).unwrap();
                assert_eq!(theirs.phase, Phase::Init);
                let list = &mut ends[index(*side)];
                list.push(End {
                    id: format!("{}-{}", index(*side), list.len()),
                    phase: Phase::TryOpen,
                    counterparty: of.clone(),
                });
            }
            Step::Ack(l, side, own, other) if *l == layer => {
                let theirs = ends[index(side.other())].iter().find(|e| e.id == *other).unwrap();
                assert_eq!((theirs.phase, &theirs.counterparty), (Phase::TryOpen, own));
                let end = ends[index(*side)].iter_mut().find(|e| e.id == *own).unwrap();
                assert_eq!(end.phase, Phase::Init);
                (end.phase, end.counterparty) = (Phase::Open, other.clone());
            }
            Step::Confirm(l, side, own, other) if *l == layer => {
                let theirs = ends[index(side.other())].iter().find(|e| e.id == *other).unwrap();
                assert_eq!((theirs.phase, &theirs.counterparty), (Phase::Open, own));
                let end = ends[index(*side)].iter_mut().find(|e| e.id == *own).unwrap();
                assert_eq!(end.phase, Phase::TryOpen);
                end.phase = Phase::Open;
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_beginning_ends_in_an_open_pair() {
        let end = |id: &str, phase, counterparty: &str| End {
            id: id.into(),
            phase,
            counterparty: counterparty.into(),
        };
        let beginnings: Vec<[Vec<End>; 2]> = vec![
            [vec![], vec![]],
            [vec![end("0-0", Phase::Init, "")], vec![]],
            [vec![], vec![end("1-0", Phase::Init, "")]],
            [vec![end("0-0", Phase::Init, "")], vec![end("1-0", Phase::Init, "")]],
            [vec![end("0-0", Phase::Init, "")], vec![end("1-0", Phase::TryOpen, "0-0")]],
            [vec![end("0-0", Phase::TryOpen, "1-0")], vec![end("1-0", Phase::Init, "")]],
            [vec![end("0-0", Phase::Open, "1-0")], vec![end("1-0", Phase::TryOpen, "0-0")]],
            // A channel that was closed, and ends that belong to others.
            [vec![end("0-0", Phase::Closed, "1-0")], vec![end("1-0", Phase::Open, "0-0")]],
            [vec![end("0-0", Phase::TryOpen, "1-7")], vec![end("1-0", Phase::TryOpen, "0-9")]],
        ];
        for layer in [Layer::Connection, Layer::Channel] {
            for beginning in &beginnings {
                let mut ends = beginning.clone();
                let mut steps = 0;
                let pair = loop {
                    match layer_step(layer, &ends[0], &ends[1]) {
                        Ok(pair) => break pair,
                        Err(step) => apply(&step, &mut ends, layer),
                    }
                    steps += 1;
                    assert!(steps <= 4, "{beginning:?}");
                };
                let near = ends[0].iter().find(|e| e.id == pair.0).unwrap();
                let far = ends[1].iter().find(|e| e.id == pair.1).unwrap();
                assert_eq!((near.phase, far.phase), (Phase::Open, Phase::Open));
                assert_eq!((&near.counterparty, &far.counterparty), (&far.id, &near.id));
            }
        }
    }

    #[test]
    fn clients_come_first_and_an_open_pair_is_found_again() {
        let none = LinkEnd::default();
        let client = LinkEnd { client: Some("07-tendermint-0".into()), ..LinkEnd::default() };
        assert_eq!(next_step(&none, &none, None), Step::CreateClient(Side::A));
        assert_eq!(next_step(&client, &none, None), Step::CreateClient(Side::B));
        assert_eq!(next_step(&client, &client, None), Step::Init(Layer::Connection, Side::A));
        assert_eq!(
            next_step(&client, &client, Some(("connection-0", "connection-0"))),
            Step::Init(Layer::Channel, Side::A)
        );
    }
}
