//! Only blobs that the chain names are taken.

use openledger_node::corpus::HttpBlobs;
use openledger_types::formats::BlobRef;

use crate::support::*;

#[tokio::test]
async fn blobs_are_taken_when_the_chain_names_them() {
    let home = tempfile::tempdir().unwrap();
    let world = World::start(home.path(), new_chain(), Rote::default()).await;
    let put = |root: String, query: &str, bytes: &[u8]| {
        world.http.put(format!("{}/v1/blobs/{root}{query}", world.url)).body(bytes.to_vec()).send()
    };
    let root = |bytes: &[u8]| BlobRef::of(bytes).root.to_hex();
    let cipher = b"cipher 11".as_slice();
    for (root, query, bytes, expected) in [
        (root(cipher), "", cipher, (400, "E-NODE-026")),
        (root(cipher), "?ref=nothing:1", cipher, (400, "E-NODE-026")),
        (root(cipher), "?ref=contribution:x", cipher, (400, "E-NODE-026")),
        ("abc".into(), "?ref=contribution:11", cipher, (400, "E-NODE-021")),
        // Named by another contribution only; by none.
        (root(cipher), "?ref=contribution:12", cipher, (404, "E-NODE-027")),
        (root(cipher), "?ref=contribution:99", cipher, (404, "E-NODE-027")),
        // Other bytes of the same length; more bytes.
        (root(cipher), "?ref=contribution:11", b"cipher 12", (400, "E-NODE-023")),
        (root(cipher), "?ref=contribution:11", b"cipher 11 and more", (413, "E-NODE-024")),
        // A model's file before its manifest.
        (root(b"the config"), "?ref=model:1:2", b"the config", (404, "E-NODE-027")),
    ] {
        let found = code(put(root.clone(), query, bytes).await.unwrap()).await;
        assert_eq!((found.0, found.1.as_str()), expected, "{root} {query}");
    }
    assert_eq!(put(root(cipher), "?ref=contribution:11", cipher).await.unwrap().status(), 201);
    assert_eq!(put(root(cipher), "?ref=contribution:11", cipher).await.unwrap().status(), 200);

    let blobs = HttpBlobs::new(&world.url).unwrap();
    blobs.put("model:1:2", &manifest_bytes()).await.unwrap();
    blobs.put("model:1:2", b"the config").await.unwrap();
    assert_eq!(blobs.put("model:1:2", b"no file of it").await.unwrap_err().code, "E-CORPUS-015");
    assert_eq!(blobs.get(&BlobRef::of(cipher)).await.unwrap(), cipher);
    assert_eq!(blobs.get(&BlobRef::of(b"cipher 12")).await.unwrap_err().code, "E-CORPUS-012");
    let longer = BlobRef { len: 10, ..BlobRef::of(cipher) };
    assert_eq!(blobs.get(&longer).await.unwrap_err().code, "E-CORPUS-013");
    assert_eq!(HttpBlobs::new("ftp://x").err().unwrap().code, "E-CORPUS-011");
}
