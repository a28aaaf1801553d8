//! Versions of the chain's software, as its node tells them. What is newer than anything tried is a warning:
//! events and proofs have kept their form over many releases. What is known not to work is a failure.

use openledger_client::proto::cosmos::base::tendermint::v1beta1::{
    GetNodeInfoRequest, GetNodeInfoResponse, VersionInfo,
};
use openledger_client::Chain;

use super::{finding, Finding, Level};

/// Code of the findings about the SDK and ibc-go.
const CODE: &str = "E-RELAYER-109";

pub(super) async fn check(chain: &Chain) -> Vec<Finding> {
    let path = "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo";
    match chain.query::<_, GetNodeInfoResponse>(path, &GetNodeInfoRequest {}).await {
        Ok(GetNodeInfoResponse { application_version: Some(info), .. }) => judge(&info),
        _ => {
            let advice = "compare the chain's versions of the SDK and ibc-go with docs/relayer.md by hand";
            vec![finding(CODE, Level::Warn, "the node does not tell its versions", advice)]
        }
    }
}

/// Judges the versions of the SDK and of ibc-go.
pub fn judge(info: &VersionInfo) -> Vec<Finding> {
    let sdk = level(&info.cosmos_sdk_version, (0, 46), (0, 53));
    let mut found = vec![say(format!("Cosmos SDK {}", info.cosmos_sdk_version), sdk)];
    // The module's path ends with its major version.
    let ibc = info.build_deps.iter().find(|dep| {
        let rest = dep.path.strip_prefix("github.com/cosmos/ibc-go/v");
        rest.is_some_and(|major| major.bytes().all(|b| b.is_ascii_digit()))
    });
    found.push(match ibc {
        Some(dep) => say(format!("ibc-go {}", dep.version), level(&dep.version, (7, 0), (10, u32::MAX))),
        None => {
            let advice = "look in the chain's release notes which version of ibc-go it has";
            finding(CODE, Level::Warn, "the node does not name its version of ibc-go", advice)
        }
    });
    found
}

fn say(text: String, level: Level) -> Finding {
    let advice = match level {
        Level::Fail => "this version is too old; use another relayer",
        _ => "this version was not tried; watch the log, and compare with the release notes",
    };
    finding(CODE, level, text, advice)
}

/// Whether a version, `v1.2.3-rc1`, lies between the oldest that works and the newest that was tried.
fn level(version: &str, oldest: (u32, u32), newest: (u32, u32)) -> Level {
    let mut parts = version.trim_start_matches('v').split(['.', '-']).map(|p| p.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < oldest => Level::Fail,
        (Some(major), Some(minor)) if (major, minor) <= newest => Level::Ok,
        _ => Level::Warn,
    }
}

#[cfg(test)]
mod tests {
    use openledger_client::proto::cosmos::base::tendermint::v1beta1::Module;

    use super::*;

    fn levels(sdk: &str, ibc: &[(&str, &str)]) -> Vec<Level> {
        let deps = ibc.iter().map(|(path, version)| Module {
            path: (*path).into(),
            version: (*version).into(),
            ..Module::default()
        });
        let info = VersionInfo {
            cosmos_sdk_version: sdk.into(),
            build_deps: deps.collect(),
            ..VersionInfo::default()
        };
        judge(&info).into_iter().map(|f| f.level).collect()
    }

    #[test]
    fn unknown_newer_versions_warn_and_only_known_bad_ones_fail() {
        let ibc = |version| [("github.com/cosmos/ibc-go/v10", version)];
        assert_eq!(levels("v0.53.6", &ibc("v10.5.0")), [Level::Ok, Level::Ok]);
        assert_eq!(levels("v0.54.0-rc1", &ibc("v11.0.0")), [Level::Warn, Level::Warn]);
        assert_eq!(levels("v1.0.0", &ibc("v10.9.0")), [Level::Warn, Level::Ok]);
        assert_eq!(levels("v0.45.9", &ibc("v6.3.1")), [Level::Fail, Level::Fail]);
        assert_eq!(levels("strange", &ibc("(devel)")), [Level::Warn, Level::Warn]);
        let modules = [("github.com/cosmos/ibc-go/modules/capability", "v1.0.1")];
        assert_eq!(levels("v0.50.1", &modules), [Level::Ok, Level::Warn]);
    }
}
