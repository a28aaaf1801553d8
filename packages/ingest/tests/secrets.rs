//! Secrets and personal data. Secrets are put together here, so that this file holds none.

use openledger_ingest::{clean, find_secret, Options, PersonalData, Refusal, SecretKind};

const BODY: &str = "Zq7Rk2Vt9Lx4Wm1Pb8Ns5Hd3Fg6Jc0YyAeUoIiTtQwXvKsMb7Cz";

fn body(length: usize) -> &'static str {
    &BODY[..length]
}

fn upper(length: usize) -> String {
    body(length).to_ascii_uppercase()
}

#[test]
fn secrets_are_found_with_kind_and_line() {
    let frame = |label: &str| {
        format!("-----{} {label}-----\n{}{}\n-----END {label}-----", "BEGIN", body(50), body(50))
    };
    let table = [
        (frame("PRIVATE KEY"), SecretKind::PrivateKey),
        (frame("RSA PRIVATE KEY"), SecretKind::PrivateKey),
        (frame("OPENSSH PRIVATE KEY"), SecretKind::PrivateKey),
        (frame("PGP PRIVATE KEY BLOCK"), SecretKind::PrivateKey),
        (format!("key = \"{}\"", frame("EC PRIVATE KEY").replace('\n', "\\n")), SecretKind::PrivateKey),
        (format!("AGE-SECRET-{}{}{}", "KEY-1", upper(50), upper(8)), SecretKind::PrivateKey),
        (format!("id {}{} here", "AK\u{49}A", upper(16)), SecretKind::AwsKey),
        (format!("{}{}", "ghp\u{5f}", body(36)), SecretKind::GithubToken),
        (format!("{}{}_{}", "github_pat\u{5f}", body(22), body(50)), SecretKind::GithubToken),
        (format!("{}{}", "glpat\u{2d}", body(20)), SecretKind::GitlabToken),
        (format!("{}-481203957716-{}", "xo\u{78}b", body(24)), SecretKind::SlackToken),
        (
            format!("https://hooks.slack.com/{}/T{}/B{}/{}", "services", upper(9), upper(10), body(24)),
            SecretKind::SlackToken,
        ),
        (format!("{}{}", "AIz\u{61}", body(35)), SecretKind::GoogleKey),
        (format!("{}{}", "sk_liv\u{65}_", body(24)), SecretKind::StripeKey),
        (format!("{}{}", "whse\u{63}_", body(32)), SecretKind::StripeKey),
        (format!("{}{}", "sk-ant\u{2d}api03-", body(40)), SecretKind::ServiceKey),
        (format!("{}{}", "npm\u{5f}", body(36)), SecretKind::ServiceKey),
        (format!("{}.eyJzdWIiOiI5In0.{}", "eyJhbGciOiJIUzI1NiJ9", body(43)), SecretKind::Jwt),
        (format!("password = \"{}!\"", body(13)), SecretKind::Assignment),
        (format!("\"api_key\": \"{}\"", body(24)), SecretKind::Assignment),
        (format!("let api_key: &str = \"{}\";", body(24)), SecretKind::Assignment),
        (format!("export DB_PASSWORD={}", body(16)), SecretKind::Assignment),
        (format!("AWS_SECRET_ACCESS_KEY={}/{}", body(20), body(19)), SecretKind::Assignment),
        (format!("client_secret: {}", body(32)), SecretKind::Assignment),
        (format!("auth.token => '{}'", body(32)), SecretKind::Assignment),
        (format!("secret = '{}'", "9f86d081884c7d65a2feaa0c55ad015a3bf4f1b2"), SecretKind::Assignment),
    ];
    for (line, kind) in table {
        let text = format!("first line of the file\nsecond line\n{line}\nlast line\n");
        let found = find_secret(&text).map(|secret| (secret.kind, secret.line));
        assert_eq!(found, Some((kind, 3)), "{line}");
        assert_eq!(clean(text.as_bytes(), &Options::default()), Err(Refusal::Secret { kind, line: 3 }));
    }
}

#[test]
fn a_refusal_never_repeats_the_secret() {
    let text = format!("password = \"{}!\"", body(20));
    let refusal = clean(text.as_bytes(), &Options::default()).err();
    let shown = refusal.map(|refusal| format!("{refusal} {refusal:?}")).unwrap_or_default();
    assert!(shown.contains("line 1") && !shown.contains(body(8)), "{shown}");
}

#[test]
fn source_code_and_prose_hold_no_secrets() {
    let lines = [
        "if line == \"-----BEGIN PRIVATE KEY-----\" { parse(rest)?; }".to_owned(),
        "const BEGIN: &str = \"-----BEGIN RSA PRIVATE KEY-----\"; const END: &str = \"-----END RSA PRIVATE KEY-----\";"
            .to_owned(),
        format!("-----BEGIN {}-----\n{}{}\n-----END CERTIFICATE-----", "CERTIFICATE", body(50), body(50)),
        format!("{}IOSFODNN7EXAMPLE", "AK\u{49}A"),
        format!("{}XXXXXXXXXXXXXXXX", "AK\u{49}A"),
        format!("{}{}", "ghp_", "x".repeat(36)),
        format!("{}{}", "ghp_", "abcdefghijklmnopqrstuvwxyz0123456789"),
        format!("{}{}", "sk_test_", body(24)),
        format!("-----{} PRIVATE KEY-----\n```\nis how such a file begins; the rest of this line is prose", "BEGIN"),
        "abc://username:password@example.com:123/path/data?key=value&key2=value2#fragid1".to_owned(),
        "[a]: https://host/password-hashes/workflows/pbkdf2/badge.svg?branch=master&event=push2".to_owned(),
        "password = \"changeme123!\"".to_owned(),
        "password = os.environ[\"DB_PASSWORD\"]".to_owned(),
        "let password = read_password(\"Password: \")?;".to_owned(),
        "api_key = \"YOUR_API_KEY_GOES_HERE_1234\"".to_owned(),
        "API_KEY=${API_KEY_FROM_ENVIRONMENT_2}".to_owned(),
        "token = Token::new(TokenKind::Identifier2, span);".to_owned(),
        "let token = self.next_token_v2()?;".to_owned(),
        "secret_name: my-App-service-v2".to_owned(),
        "token: \"application/x-www-form-urlencoded\"".to_owned(),
        "private_key_path = \"/etc/ssl/private/server01.Key\"".to_owned(),
        "password: String,".to_owned(),
        "The password is: something that only you know, and 2 or 3 digits.".to_owned(),
        format!("sha256 = \"{}\"", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        format!("integrity sha512-{}{}==", body(43), body(43)),
        "assert_eq!(token, \"fooBar12BazQux\");".to_owned(),
        "the secret of good health: sleep, water, walks".to_owned(),
    ];
    for line in lines {
        assert_eq!(find_secret(&line), None, "{line}");
    }
}

#[test]
fn hostile_assignments_are_scanned_in_linear_time() {
    let start = std::time::Instant::now();
    for unit in ["=\"", ":", "password=\"", "= ", "-----BEGIN ", "eyJ", "eyJaaaaaaaa.", "a@a", "+1", "DE11 "]
    {
        let text = unit.repeat(400_000 / unit.len());
        let _ = clean(text.as_bytes(), &Options::default());
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn personal_data_is_masked_and_counted() -> Result<(), Refusal> {
    let text = "Write to jane.doe@example.org or j+d@mail.example.co.uk; not @handle, a@b or x@y.1.\n\
        Call +49 30 1234567, (555) 123-4567, 555-123-4567 or 030 1234 5678; not 2024-01-15, 3.14159265,\n\
        1234567890123456789 or 10-20-30. Pay to DE89 3704 0044 0532 0130 00 or GB29NWBK60161331926819,\n\
        not to DE89 3704 0044 0532 0130 01.\n";
    let cleaned = clean(text.as_bytes(), &Options::default())?;
    assert_eq!(cleaned.personal, PersonalData { emails: 2, phones: 4, ibans: 2 });
    let masked = "Write to [e-mail] or [e-mail]; not @handle, a@b or x@y.1.\n\
        Call [phone], [phone], [phone] or [phone]; not 2024-01-15, 3.14159265,\n\
        1234567890123456789 or 10-20-30. Pay to [iban] or [iban],\n\
        not to DE89 3704 0044 0532 0130 01.\n";
    assert_eq!(cleaned.content, masked);
    let none = clean(b"Nothing of the kind stands in this sentence.", &Options::default())?;
    assert!(none.personal.is_empty());
    Ok(())
}
