//! Wrong answers that are disputed, accused and voted about: what each costs the node, a copier of votes, an auditor that
//! says yes to everything, and who accuses falsely.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use cosmwasm_std::HexBinary;
use openledger::dispute;
use openledger::network::job::{Job, TOKENS};
use openledger_client::contracts::Reader;
use openledger_dispute::layout::Place;
use openledger_dispute::play;
use openledger_dispute::trace::Trace;
use openledger_node::dispute::Computation;
use openledger_node::engine::{Model, CONFIG_FILE, MANIFEST_FILE};
use openledger_node::recompute;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::vote_commitment;
use openledger_types::msg::arbiter::{ExecuteMsg as Move, Outcome, Turn};
use openledger_types::msg::referee::{self, CaseResponse, Verdict};

use super::cheater::{Cheater, Ways};
use super::lab::{force, gain, say, told_referee, Lab, Silence, PATIENCE};
use super::tricks::Trick;

/// What is asked.
const PROMPTS: [&str; 2] = ["pub fn new(", "use std::"];

/// What a conviction took: the fee that came back, the cut, and the finder's part of it.
struct Price {
    back: u128,
    taken: u128,
    finder: u128,
}

impl Lab {
    /// What a conviction cost its node, measured: all fees of the case came back, the bond was cut, a part of the cut
    /// is the finder's. `before` is what verdicts had returned of the session already.
    async fn price(&self, reader: &Reader, job: &Job, case: &CaseResponse, session_id: u64) -> Result<Price> {
        ensure!(case.verdict == Some(Verdict::Guilty), "{case:?}");
        let (taken, finder) = self.cut(&job.user, reader, case).await?;
        ensure!(taken == 0 || (finder > 0 && finder < taken), "a finder gets a part: {finder} of {taken}");
        Ok(Price { back: returned(reader, session_id).await?, taken, finder })
    }
}

/// What verdicts returned of a session's settled fees.
async fn returned(reader: &Reader, session_id: u64) -> Result<u128> {
    let session = reader.session(session_id).await?;
    let parts = [session.protocol, session.developer_part, session.node_part, session.data_part];
    let settled: u128 = session.nodes.iter().map(|node| node.settled.u128()).sum();
    Ok(settled.saturating_sub(parts.iter().map(|part| part.u128()).sum()))
}

async fn hot_addresses(lab: &Lab, reader: &Reader) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for auditor in &lab.net.auditors {
        found.extend(reader.node(auditor.node_id).await?.hot_addr);
    }
    Ok(found)
}

/// A user disputes one answer by the command line, auditors accuse the other one by themselves.
pub async fn node_attack_02_a_node_with_weights_of_fewer_bits_is_convicted_and_pays(
    lab: &Lab,
    silence: Silence,
) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let scratch = tempfile::tempdir()?;
    let member = &lab.net.nodes[1];
    let ways = Ways { tricks: vec![Trick::FewerBits], ..Ways::default() };
    let cheater = Cheater::take_over(lab, member, scratch.path(), ways).await?;

    // No auditor looks: the user disputes by the command line.
    let (job, done, bundles) = lab.job("cheats-user-1", member.node_id, &PROMPTS).await?;
    let cache = tempfile::tempdir()?;
    let found = dispute::dispute(&job.ctx, &job.user, &bundles[0], &member.url, cache.path()).await?;
    ensure!(found.outcome == Outcome::Guilty, "{found:?}");
    println!(
        "disputed by hand: {} slots, {} picks, {} transactions",
        found.slots,
        found.picks,
        found.txs.len()
    );
    let decided = |case: &CaseResponse| case.verdict.is_some();
    let by_hand = lab.case_about(&reader, &bundles[0], decided).await?;
    ensure!(by_hand.challenger == job.user.address(), "{by_hand:?}");
    drop(silence);
    lab.awake().await?;

    // The auditors look by themselves. What is left of the voided root stands in the next one, until that is final.
    let by_auditor = lab.case_about(&reader, &bundles[1], decided).await?;
    let hot = hot_addresses(lab, &reader).await?;
    ensure!(hot.contains(&by_auditor.challenger), "an auditor accuses: {by_auditor:?}");
    let mut profit = i128::try_from(done.fees)?;
    for (name, case) in [("by the command line", &by_hand), ("by an auditor", &by_auditor)] {
        let dispute = reader.dispute(case.case_id).await?;
        ensure!(dispute.outcome == Some(Outcome::Guilty), "{dispute:?}");
        let price = lab.price(&reader, &job, case, done.session_id).await?;
        profit -= i128::try_from(price.taken)?;
        println!("{name}: case {}, bond cut {}, finder's part {}", case.case_id, price.taken, price.finder);
    }
    let back = returned(&reader, done.session_id).await?;
    ensure!(back == done.fees, "all fees came back: {back} of {}", done.fees);
    profit -= i128::try_from(back)?;
    let (number, name) = Trick::FewerBits.name();
    say(number, &format!("{name}, accused by a user and by an auditor"), bundles.len(), 2, profit);
    ensure!(profit < 0, "the cheat paid: {profit}");
    cheater.leave(lab).await
}

/// A node that contests what it is asked. Of two answers a user accuses one, an auditor the other; the votes decide. The
/// fourth auditor copies a vote about the first and says that the second is right.
pub async fn node_attack_02_a_cheat_that_contests_what_it_was_asked_is_convicted_by_votes(
    lab: &Lab,
    silence: Silence,
) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let scratch = tempfile::tempdir()?;
    let member = &lab.net.nodes[2];
    let ways = Ways { tricks: vec![Trick::FewerBits], contests: true, ..Ways::default() };
    let cheater = Cheater::take_over(lab, member, scratch.path(), ways).await?;
    let (job, done, bundles) = lab.job("cheats-user-2", member.node_id, &PROMPTS).await?;
    // An auditor accuses the first wrong answer that it meets, as soon as it looks; were the user to accuse that one, it
    // would meet the other only after the verdict.
    let (by_auditor, by_user) = (&bundles[0], &bundles[1]);
    let (case_id, _) = lab.accuse(&job, &reader, by_user).await?;
    drop(silence);
    let (copied, said_yes) = tokio::join!(
        node_attack_12_a_copied_vote_commitment_counts_nothing(lab, &reader, case_id),
        node_attack_13_an_auditor_that_says_yes_to_everything_is_not_found(lab, &reader, by_auditor),
    );
    copied?;
    said_yes?;

    let case = lab.verdict(&reader, &job.user, case_id).await?;
    ensure!(!case.guilty.is_zero() && case.not_guilty.is_zero(), "{case:?}");
    let price = lab.price(&reader, &job, &case, done.session_id).await?;
    let fee = by_user.receipt.receipt.fee.u128();
    ensure!(price.back >= fee, "{} of {fee} came back", price.back);
    let profit = i128::try_from(fee)? - i128::try_from(price.back)? - i128::try_from(price.taken)?;
    println!(
        "by votes: case {case_id}, {} of {} said guilty; bond cut {}, finder's part {}",
        case.guilty, case.eligible, price.taken, price.finder
    );
    let (number, name) = Trick::FewerBits.name();
    say(number, &format!("{name}, contested, decided by votes"), 1, 1, profit);
    ensure!(profit < 0, "the cheat paid: {profit}");
    cheater.leave(lab).await
}

/// The fourth auditor commits what another one committed, and opens it with that one's own salt.
async fn node_attack_12_a_copied_vote_commitment_counts_nothing(
    lab: &Lab,
    reader: &Reader,
    case_id: u64,
) -> Result<()> {
    let sly = lab.sly_auditor()?;
    let operator = lab.net.signer(0, &sly.key).await?;
    let before = lab.wealth(reader, operator.address()).await?;
    let case = lab.case(reader, case_id).await?;
    let commitment = watch_votes(reader, case.opened_at, case.commit_until, |msg| match msg {
        referee::ExecuteMsg::CommitVote { case_id: of, commitment, .. } if *of == case_id => {
            Some(commitment.clone())
        }
        _ => None,
    });
    let commitment = commitment.await?.context("no auditor voted")?;
    let auditor = sly.node_id;
    let referee = &reader.contracts().referee;
    operator.execute(referee, &referee::ExecuteMsg::CommitVote { case_id, auditor, commitment }, &[]).await?;
    let opening = watch_votes(reader, case.commit_until, case.reveal_until, |msg| match msg {
        referee::ExecuteMsg::RevealVote { case_id: of, guilty, salt, .. } if *of == case_id => {
            Some((*guilty, salt.clone()))
        }
        _ => None,
    });
    let (guilty, salt) = opening.await?.context("no auditor revealed its vote")?;
    let msg = referee::ExecuteMsg::RevealVote { case_id, auditor, guilty, salt };
    let refused = force(&operator, referee, &msg, &[]).await?;
    ensure!(refused.is_err(), "a copied vote was opened");
    let profit = gain(before, lab.wealth(reader, operator.address()).await?)?;
    say(12, "an auditor commits and opens another one's vote", 1, 1, profit);
    ensure!(profit < 0, "copying a vote paid: {profit}");
    Ok(())
}

/// The first that `wanted` takes of the messages in the blocks from one height to another; waits for blocks to come.
async fn watch_votes<T>(
    reader: &Reader,
    from: u64,
    until: u64,
    wanted: impl Fn(&referee::ExecuteMsg) -> Option<T>,
) -> Result<Option<T>> {
    for height in from..=until {
        reader.chain().wait_for_height(height, PATIENCE).await?;
        if let Some(found) = told_referee(reader, height).await?.iter().find_map(&wanted) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The fourth auditor finds every answer right. In a case that an auditor opened it is one of three jurors, so that two
/// thirds of the weight say guilty: about as much as the quorum asks. Nobody can tell that it did not compute.
async fn node_attack_13_an_auditor_that_says_yes_to_everything_is_not_found(
    lab: &Lab,
    reader: &Reader,
    bundle: &AnswerBundle,
) -> Result<()> {
    lab.awake().await?;
    let sly = lab.sly_auditor()?;
    let operator = lab.net.signer(0, &sly.key).await?;
    let before = lab.wealth(reader, operator.address()).await?;
    let hot = hot_addresses(lab, reader).await?;
    let case = lab.case_about(reader, bundle, |case| hot.contains(&case.challenger)).await?;
    let case_id = case.case_id;
    let (auditor, salt) = (sly.node_id, [13; 32]);
    let referee = &reader.contracts().referee;
    let chain_id = &reader.chain().config().chain_id;
    let commitment = HexBinary::from(&vote_commitment(chain_id, referee, case_id, auditor, false, &salt));
    operator.execute(referee, &referee::ExecuteMsg::CommitVote { case_id, auditor, commitment }, &[]).await?;
    reader.chain().wait_for_height(case.commit_until + 2, PATIENCE).await?;
    let msg =
        referee::ExecuteMsg::RevealVote { case_id, auditor, guilty: false, salt: HexBinary::from(&salt) };
    operator.execute(referee, &msg, &[]).await?;
    let case = lab.verdict(reader, &operator, case_id).await?;
    ensure!(case.guilty > case.not_guilty && !case.not_guilty.is_zero(), "{case:?}");
    println!(
        "an accusation by an auditor among four, one of which says yes: {:?}, {} against {} of {}",
        case.verdict, case.guilty, case.not_guilty, case.eligible
    );
    let found = lab.cuts(reader).await?.iter().filter(|cut| cut.node_id == auditor).count();
    say(
        13,
        "an auditor says yes without computing",
        1,
        found,
        gain(before, lab.wealth(reader, operator.address()).await?)?,
    );
    Ok(())
}

/// A user accuses an honest node of an answer that is right, and leads it before the arbiter.
pub async fn node_attack_13_who_accuses_an_honest_node_falsely_loses_before_the_arbiter(
    lab: &Lab,
    silence: Silence,
) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let member = &lab.net.nodes[0];
    let bond = reader.node(member.node_id).await?.bond;
    let (job, _, bundles) = lab.job("cheats-user-3", member.node_id, &PROMPTS).await?;
    let (bundle, user) = (&bundles[0], &job.user);
    let before = lab.wealth(&reader, user.address()).await?;

    // The liar's trace differs from the right one in one value of one layer.
    let folder = lab.folder(member);
    let own = Computation::new(&Model::load(&folder)?, bundle)?;
    ensure!(own.holds(), "the node's answer is not honest");
    let slot = own.trace.layout().slot(own.trace.statement().prompt.len(), Place::Hidden);
    let mut values = own.trace.values().to_vec();
    values[usize::try_from(slot)?][0] += 1.0;
    let lie = Trace::from_values(own.trace.layout().clone(), own.trace.statement().clone(), values);

    let (case_id, stake) = lab.accuse(&job, &reader, bundle).await?;
    let arbiter = reader.arbiter()?.to_string();
    let statement = own.trace.statement();
    let msg = Move::Open {
        case_id,
        receipt: bundle.receipt.receipt.clone(),
        manifest: std::fs::read(folder.join(MANIFEST_FILE))?.into(),
        config: std::fs::read(folder.join(CONFIG_FILE))?.into(),
        prompt: statement.prompt.clone(),
        repetition_milli: statement.repetition_milli,
    };
    user.execute(&arbiter, &msg, &[]).await?;
    let since = Instant::now();
    let outcome = loop {
        let found = reader.dispute(case_id).await?;
        if found.turn == Turn::Over {
            break found.outcome;
        }
        let height = reader.chain().latest_height().await?;
        ensure!(height <= found.until + 1, "a move was missed: {found:?}");
        match play::challenger(&found, &lie)? {
            Some(pick) => drop(user.execute(&arbiter, &pick, &[]).await?),
            None => tokio::time::sleep(Duration::from_millis(300)).await,
        }
        ensure!(since.elapsed() < PATIENCE, "the dispute does not end");
    };
    ensure!(outcome == Some(Outcome::NotGuilty), "{outcome:?}");
    drop(silence);

    // After the votes' time the bond is lost: half burned, half the node's operator's.
    let case = lab.verdict(&reader, user, case_id).await?;
    ensure!(case.verdict == Some(Verdict::NotGuilty), "{case:?}");
    ensure!(reader.node(member.node_id).await?.bond == bond, "an honest node lost a part of its bond");
    let profit = gain(before, lab.wealth(&reader, user.address()).await?)?;
    println!("a false accusation: acquitted by arithmetic, {stake} of the accuser's lost");
    say(13, "an honest node accused falsely", 1, 1, profit);
    ensure!(profit <= -i128::try_from(stake)?, "a false accusation cost {profit} of {stake}");
    Ok(())
}

/// Eight tricks, one an answer, each accused by its payer and voted about.
pub async fn node_attacks_01_to_08_each_trick_is_convicted_and_pays(
    lab: &Lab,
    silence: Silence,
) -> Result<()> {
    // Cheap tokens under true commitments are told by the tokens alone: of short answers some have the honest ones.
    let tried = [
        (Trick::Smaller, "pub fn new(", TOKENS),
        (Trick::OtherWeights, "use std::", TOKENS),
        (Trick::CutPrompt, "pub(crate) fn push(&mut self", TOKENS),
        (Trick::Warmer, "impl<T> ", TOKENS),
        (Trick::OtherSeed, "match self {", TOKENS),
        (Trick::Spoofed, "let mut ", 160),
        (Trick::Padded, "/// Returns the ", TOKENS),
        (Trick::CutShort, "fn main() {", TOKENS),
    ];
    let tricks = tried.map(|(trick, ..)| trick);
    let questions = tried.map(|(_, prompt, tokens)| (prompt, tokens));
    let reader = lab.net.reader(0).await?;
    let scratch = tempfile::tempdir()?;
    let member = &lab.net.nodes[5];
    let ways = Ways { tricks: tricks.to_vec(), contests: true, ..Ways::default() };
    let cheater = Cheater::take_over(lab, member, scratch.path(), ways).await?;
    let (job, done, bundles) = lab.long_job("cheats-user-4", member.node_id, &questions).await?;
    let right = Model::load(&lab.folder(member))?;
    let mut cases = Vec::new();
    for (trick, bundle) in tricks.into_iter().zip(&bundles) {
        // What an own replay does not find is not accused: the bond would be lost.
        let case = match recompute::follows(&right, bundle) {
            Some(false) => Some(lab.accuse(&job, &reader, bundle).await?.0),
            _ => None,
        };
        cases.push((trick, bundle, case));
    }
    drop(silence);
    let (mut whole, mut due) = (i128::try_from(done.fees)?, 0);
    for (trick, bundle, case) in cases {
        let (number, name) = trick.name();
        let fee = i128::try_from(bundle.receipt.receipt.fee.u128())?;
        let Some(case_id) = case else {
            say(number, name, 1, 0, fee);
            continue;
        };
        let case = lab.verdict(&reader, &job.user, case_id).await?;
        let price = lab.price(&reader, &job, &case, done.session_id).await?;
        whole -= i128::try_from(price.taken)?;
        // The fee of a guilty verdict goes back to its session, whose books are looked at as a whole below.
        due += bundle.receipt.receipt.fee.u128();
        say(number, name, 1, 1, -i128::try_from(price.taken)?);
    }
    let back = returned(&reader, done.session_id).await?;
    ensure!(back >= due, "{back} of the {due} that guilty verdicts took came back");
    whole -= i128::try_from(back)?;
    println!(
        "{} tricks in one session: fees {}, of which returned {back}; profit {whole} uopen",
        tricks.len(),
        done.fees
    );
    ensure!(whole < 0, "the tricks paid: {whole}");
    cheater.leave(lab).await
}
