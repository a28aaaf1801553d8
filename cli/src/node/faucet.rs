//! `openledger faucet`: coins of a development chain for whoever asks, a little at a time.
//!
//! `POST /v1/coins {"address": "openledger1…"}` sends coins to an address; `GET /health` answers while it runs.
//! An address gets coins once in a period, a caller's IP address a few times. It starts only on a chain whose
//! votes last less than an hour: there, coins are worth nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use openledger_client::proto::cosmos::gov::v1::{QueryParamsRequest, QueryParamsResponse};
use openledger_client::{Chain, Coin, Signer};
use serde::Deserialize;

use crate::context::{Context, DENOM};
use crate::error::{Class, CliError, Result};

/// Votes of a development chain last less than this.
const DEV_VOTES: Duration = Duration::from_secs(3_600);
/// Callers that are remembered; while there are more, nobody new gets coins.
const MAX_KNOWN: usize = 100_000;

/// How to run it.
#[derive(Clone, Debug, clap::Args)]
pub struct FaucetArgs {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:8470")]
    pub listen: SocketAddr,
    /// Base units for each request
    #[arg(long, default_value_t = 150_000_000)]
    pub amount: u128,
    /// Seconds after which an address or a caller may ask again
    #[arg(long, default_value_t = 3_600)]
    pub period: u64,
    /// Requests of one IP address in that time
    #[arg(long, default_value_t = 5)]
    pub per_ip: u32,
}

/// Who asked when.
#[derive(Debug)]
struct Limiter {
    period: Duration,
    per_ip: u32,
    addresses: HashMap<String, Instant>,
    callers: HashMap<IpAddr, (Instant, u32)>,
}

/// Why a request has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// This address had its coins.
    Address(Duration),
    /// This caller asked too often.
    Caller(Duration),
    /// Too many ask.
    Full,
}

impl Limiter {
    fn new(period: Duration, per_ip: u32) -> Self {
        Limiter { period, per_ip, addresses: HashMap::new(), callers: HashMap::new() }
    }

    /// Counts a request, before its coins are sent: two at once cannot both pass.
    fn take(&mut self, address: &str, caller: IpAddr, now: Instant) -> std::result::Result<(), Wait> {
        let period = self.period;
        let rest = |since: &Instant| period.checked_sub(now.saturating_duration_since(*since));
        if let Some(rest) = self.addresses.get(address).and_then(rest) {
            return Err(Wait::Address(rest));
        }
        let asked = self.callers.get(&caller).filter(|(since, _)| rest(since).is_some()).copied();
        if let Some((since, count)) = asked {
            if count >= self.per_ip {
                return Err(Wait::Caller(rest(&since).unwrap_or_default()));
            }
        }
        if self.addresses.len().max(self.callers.len()) >= MAX_KNOWN {
            self.addresses.retain(|_, since| rest(since).is_some());
            self.callers.retain(|_, (since, _)| rest(since).is_some());
            if self.addresses.len().max(self.callers.len()) >= MAX_KNOWN {
                return Err(Wait::Full);
            }
        }
        self.addresses.insert(address.into(), now);
        let (since, count) = asked.unwrap_or((now, 0));
        self.callers.insert(caller, (since, count + 1));
        Ok(())
    }

    /// Forgets a request whose coins were not sent.
    fn give_back(&mut self, address: &str) {
        self.addresses.remove(address);
    }
}

struct Faucet {
    signer: Signer,
    amount: u128,
    limiter: Mutex<Limiter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    address: String,
}

/// An answer that says what to do.
fn problem(status: StatusCode, code: &str, message: String, advice: &str) -> Response {
    let retryable = status != StatusCode::BAD_REQUEST;
    let body = serde_json::json!({"error": {
        "message": format!("{message}. {advice}"), "type": "faucet", "code": code, "retryable": retryable,
    }});
    (status, Json(body)).into_response()
}

async fn coins(
    State(faucet): State<Arc<Faucet>>,
    ConnectInfo(caller): ConnectInfo<SocketAddr>,
    Json(ask): Json<Ask>,
) -> Response {
    let prefix = &faucet.signer.chain().config().prefix;
    if !is_address(&ask.address, prefix) {
        let what = format!("{:?} is no address of this chain", clip(&ask.address));
        return problem(
            StatusCode::BAD_REQUEST,
            "E-FAUCET-002",
            what,
            "Send one that `openledger keys show` prints.",
        );
    }
    let taken = lock(&faucet.limiter).take(&ask.address, caller.ip(), Instant::now());
    if let Err(wait) = taken {
        let what = match wait {
            Wait::Address(rest) => {
                format!("this address had its coins; it gets more in {} s", rest.as_secs())
            }
            Wait::Caller(rest) => format!("you asked too often; ask again in {} s", rest.as_secs()),
            Wait::Full => "too many have asked".into(),
        };
        return problem(StatusCode::TOO_MANY_REQUESTS, "E-FAUCET-003", what, "Try again then.");
    }
    match faucet.signer.bank_send(&ask.address, &[Coin::new(faucet.amount, DENOM)]).await {
        Ok(done) => {
            tracing::info!(address = ask.address, amount = faucet.amount, tx = done.hash, "coins sent");
            let body =
                serde_json::json!({"tx": done.hash, "amount": faucet.amount.to_string(), "denom": DENOM});
            Json(body).into_response()
        }
        Err(error) => {
            lock(&faucet.limiter).give_back(&ask.address);
            tracing::warn!(code = error.code(), "{error}");
            let what = "the chain did not take the transaction".to_string();
            problem(StatusCode::SERVICE_UNAVAILABLE, "E-FAUCET-004", what, "Try again in a moment.")
        }
    }
}

/// Whether a text is an address of accounts or contracts with this prefix: the checksum is the chain's to
/// judge, which refuses a wrong one before anything is paid.
fn is_address(text: &str, prefix: &str) -> bool {
    let data = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('1'));
    data.is_some_and(|data| {
        matches!(data.len(), 38 | 58)
            && data.bytes().all(|b| b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".contains(&b))
    })
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

fn lock(limiter: &Mutex<Limiter>) -> std::sync::MutexGuard<'_, Limiter> {
    // Counters stay right whatever panicked.
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses a chain on which coins may be worth something: one whose votes last an hour or longer.
///
/// # Errors
/// `E-FAUCET-001` on such a chain.
pub async fn assert_development(chain: &Chain) -> Result<()> {
    let ask = QueryParamsRequest { params_type: "voting".into() };
    let answer: QueryParamsResponse = chain.query("/cosmos.gov.v1.Query/Params", &ask).await?;
    let period = answer.params.and_then(|params| params.voting_period);
    let seconds = period.map(|period| u64::try_from(period.seconds).unwrap_or(u64::MAX));
    match seconds {
        Some(seconds) if Duration::from_secs(seconds) < DEV_VOTES => Ok(()),
        _ => Err(CliError::new(
            Class::Refused,
            "E-FAUCET-001",
            format!("{} is no development chain: its votes last {seconds:?} s", chain.config().chain_id),
            "give coins away on a chain of testnet/devnet or testnet/up only",
        )),
    }
}

/// Serves until Ctrl-C or SIGTERM; coins are those of the key named by `--key`.
///
/// # Errors
/// When this is no development chain, or the port cannot be had.
pub async fn run(ctx: &Context, args: &FaucetArgs) -> Result<()> {
    let signer = ctx.signer(None).await?;
    assert_development(signer.chain()).await?;
    let limiter = Mutex::new(Limiter::new(Duration::from_secs(args.period), args.per_ip));
    let faucet = Arc::new(Faucet { signer, amount: args.amount, limiter });
    let router = Router::new()
        .route("/v1/coins", post(coins).layer(DefaultBodyLimit::max(1_024)))
        .route("/health", get(|| async { "ok\n" }))
        .with_state(faucet.clone());
    let no_port = |e: std::io::Error| {
        CliError::new(
            Class::Usage,
            "E-FAUCET-005",
            format!("cannot serve at {}: {e}", args.listen),
            "stop the program that uses this port, or name another with --listen",
        )
    };
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(no_port)?;
    eprintln!("faucet at http://{} sends from {}", args.listen, faucet.signer.address());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stopped()).await.map_err(no_port)
}

async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut end) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = end.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_gets_coins_once_in_a_period() {
        let (mut limiter, now) = (Limiter::new(Duration::from_secs(60), 5), Instant::now());
        assert_eq!(limiter.take("a", ip(1), now), Ok(()));
        let later = now + Duration::from_secs(59);
        assert_eq!(limiter.take("a", ip(2), later), Err(Wait::Address(Duration::from_secs(1))));
        assert_eq!(limiter.take("a", ip(2), now + Duration::from_secs(61)), Ok(()));
    }

    #[test]
    fn attack_one_caller_with_many_addresses_is_stopped() {
        let (mut limiter, now) = (Limiter::new(Duration::from_secs(60), 3), Instant::now());
        let taken = (0..10).filter(|n| limiter.take(&n.to_string(), ip(1), now).is_ok()).count();
        assert_eq!(taken, 3);
        assert_eq!(limiter.take("x", ip(2), now), Ok(()));
        assert_eq!(limiter.take("y", ip(1), now + Duration::from_secs(61)), Ok(()));
    }

    #[test]
    fn coins_that_were_not_sent_can_be_asked_for_again() {
        let (mut limiter, now) = (Limiter::new(Duration::from_secs(60), 3), Instant::now());
        assert_eq!(limiter.take("a", ip(1), now), Ok(()));
        limiter.give_back("a");
        assert_eq!(limiter.take("a", ip(1), now), Ok(()));
    }

    #[test]
    fn only_addresses_of_this_chain_pass() {
        let good = "openledger139f5az79ausxfkdmg0d3g7vwl7edmvtxyys2x3";
        assert!(is_address(good, "openledger"));
        for bad in [
            "",
            "openledger1",
            "peer139f5az79ausxfkdmg0d3g7vwl7edmvtxyys2x3",
            &good[..40],
            "openledger1\u{1f600}",
        ] {
            assert!(!is_address(bad, "openledger"), "{bad}");
        }
        assert!(!is_address(&good.replace('9', "b"), "openledger"));
    }
}
