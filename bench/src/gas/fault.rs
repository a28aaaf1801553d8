//! A fault proof of one step (PROTOCOL F1): a span that is false.

use anyhow::{Context, Result};
use cosmwasm_std::{Binary, HexBinary};
use openledger_merkle::{chunk_path, chunk_root, Hash, Tree, CONTENT_CHUNK};
use openledger_types::api::EvidencePiece;
use openledger_types::faults::{ChunkRange, ContributionAt, Fault, FiledFault, SessionFacts, Stated};
use openledger_types::formats::{evidence_header_leaf, Piece};
use openledger_types::msg::{escrow, referee};
use openledger_types::packed::HashPath;

use super::contribute::Data;
use super::serve::Market;
use super::world::World;
use super::{Size, ANSWERS};
use crate::report::Metric;

/// Bytes of the answer that lies.
const ANSWER: usize = 4_000;
/// Pieces of its evidence.
const PIECES: usize = 31;
/// Bytes of a piece.
const PIECE: u32 = 300;
/// Blocks of the challenge window while faults are proved.
const WINDOW: u64 = 10_000;

/// Measures the proof of a false span: the receipt stands in a root that is not final, so the root is
/// voided and the node's bond is cut in the same transaction.
pub async fn measure(
    world: &World,
    market: &Market,
    data: &Data,
    size: &Size,
    metrics: &mut Vec<Metric>,
) -> Result<()> {
    let mut params = world.profile.escrow.clone();
    params.challenge_blocks = WINDOW;
    world.execute(&world.owner, &world.escrow, &escrow::ExecuteMsg::UpdateParams { params }, 0).await?;
    let mut gas = vec![];
    for run in 0..size.runs {
        let msg = false_span(world, market, data, run).await?;
        gas.push(world.execute(&world.user, &world.referee, &msg, 0).await?.gas_used as f64);
    }
    metrics.push(Metric::of("fraud_proof_span", "gas", gas));
    // What is measured next waits for roots.
    let params = world.profile.escrow.clone();
    world.execute(&world.owner, &world.escrow, &escrow::ExecuteMsg::UpdateParams { params }, 0).await?;
    Ok(())
}

/// A new node settles a session whose last answer claims bytes that its source does not hold; the
/// message that proves it.
async fn false_span(world: &World, market: &Market, data: &Data, run: usize) -> Result<referee::ExecuteMsg> {
    let account = world.data_owner.address();
    let mut node = market.node(world, &format!("false node {run}"), 100, account).await?;
    let (mut sessions, _) = market.sessions(world, &node, 1, ANSWERS).await?;
    market.serve(world, &mut sessions[0], ANSWERS - 1)?;

    let index = data.facts.len() / 2;
    let facts = data.facts[index].clone();
    let source = data.text(&facts)?.as_bytes();
    let answer = vec![b'z'; ANSWER];
    let answer_root = chunk_root(&answer, CONTENT_CHUNK);
    let pieces: Vec<Piece> = (0..PIECES as u64)
        .map(|i| Piece {
            answer_start: i * 100,
            len: PIECE,
            contribution_id: facts.contribution_id,
            source_start: 4 * CONTENT_CHUNK as u64 + i,
        })
        .collect();
    let mut leaves = vec![evidence_header_leaf(&answer_root, ANSWER as u64)];
    leaves.extend(pieces.iter().map(Piece::leaf));
    let evidence = Tree::new(leaves).context("plain hashes do not overflow")?;
    let mut receipt = market.receipt(world, &sessions[0]);
    receipt.evidence_root = HexBinary::from(&evidence.root());
    sessions[0].acknowledge(&receipt)?;
    let posting = node.epoch(world, &mut sessions)?;
    world.execute(&world.operator, &world.escrow, &posting, 0).await?;
    let escrow::ExecuteMsg::PostEpoch { commit, .. } = posting else { anyhow::bail!("not a posting") };

    let query = escrow::QueryMsg::Facts { session_id: sessions[0].id, node_id: node.id };
    let session: SessionFacts = world.query(&world.escrow, &query).await?;
    let piece = pieces[1];
    let versions = data.facts.iter().map(|facts| facts.leaf()).collect();
    let versions: Tree<Hash> = Tree::new(versions).context("plain hashes do not overflow")?;
    let prove = |tree: &Tree<Hash>, index: u64| -> Result<HashPath> {
        Ok(tree.prove(index).context("the leaf exists")?.into())
    };
    let fault = Fault::FalseSpan {
        receipt: node.sign(receipt),
        answer_root: HexBinary::from(&answer_root),
        answer_len: ANSWER as u64,
        header_path: prove(&evidence, 0)?,
        piece: EvidencePiece {
            answer_start: piece.answer_start,
            len: piece.len,
            contribution_id: piece.contribution_id,
            source_start: piece.source_start,
        },
        index: 2,
        count: evidence.len(),
        path: prove(&evidence, 2)?,
        answer: range(&answer, piece.answer_start)?,
        source: ContributionAt {
            datanet: 0,
            facts,
            index: index as u64,
            path: prove(&versions, index as u64)?,
        },
        text: range(source, piece.source_start)?,
    };
    let stated = Stated { commit: Some(commit), session: Some(session) };
    Ok(referee::ExecuteMsg::ProveFault { proof: FiledFault { stated, fault }.into() })
}

/// The chunk that holds a piece which starts here and ends in it.
fn range(text: &[u8], start: u64) -> Result<ChunkRange> {
    let first = start / CONTENT_CHUNK as u64;
    let chunk = text.chunks(CONTENT_CHUNK).nth(first as usize).context("the piece lies in the text")?;
    let path = chunk_path(text, CONTENT_CHUNK, first).context("the chunk exists")?;
    Ok(ChunkRange { first, chunks: vec![Binary::new(chunk.to_vec())], paths: vec![path.into()] })
}
