package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTOMLKeysAreReplacedOnlyInTheirSection(t *testing.T) {
	in := "# top\nladdr = \"a\"\n[rpc]\nladdr = \"b\" # old\nlist = [\"x\"]\n[p2p]\nladdr = \"c\"\n"
	out, err := editTOML([]byte(in), []entry{{"rpc", "laddr", `"new"`}, {"rpc", "list", `["*"]`}})
	if err != nil {
		t.Fatal(err)
	}
	want := "# top\nladdr = \"a\"\n[rpc]\nladdr = \"new\"\nlist = [\"*\"]\n[p2p]\nladdr = \"c\"\n"
	if string(out) != want {
		t.Fatalf("got %q", out)
	}
	for _, missing := range []entry{{"rpc", "nothing", "1"}, {"other", "laddr", "1"}} {
		if _, err := editTOML([]byte(in), []entry{missing}); err == nil {
			t.Fatalf("%v was accepted", missing)
		}
	}
}

func TestGenesisRefusesUnknownShape(t *testing.T) {
	for _, in := range []string{"", "[]", "{}", `{"consensus":{"params":{"block":{}}}}`, `{"consensus":7}`} {
		if _, err := editGenesis([]byte(in), nil, denom, 500); err == nil {
			t.Fatalf("%q was accepted", in)
		}
	}
}

func TestSettingNeedsAnExistingKey(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(`{"a":{"b":1}}`), &doc); err != nil {
		t.Fatal(err)
	}
	if err := set(doc, "a.b", "2"); err != nil {
		t.Fatal(err)
	}
	if doc["a"].(map[string]any)["b"] != "2" {
		t.Fatal("value not set")
	}
	for _, path := range []string{"a.c", "x.b", "a.b.c"} {
		if err := set(doc, path, 1); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestCommittedAccountsAreWellFormed(t *testing.T) {
	accounts, err := readAccounts(filepath.Join("..", "..", "dev-accounts.json"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range accounts {
		names[a.Name] = true
	}
	for _, name := range []string{"validator", "deployer", "node", "developer", "user", "datanet-owner"} {
		if !names[name] {
			t.Fatalf("no account %s", name)
		}
	}
}

func TestAddressesTakeAnotherPrefix(t *testing.T) {
	// The same data under another prefix and back is the same address.
	const address = "openledger139f5az79ausxfkdmg0d3g7vwl7edmvtxyys2x3"
	other, err := withPrefix(address, "peer")
	if err != nil || !strings.HasPrefix(other, "peer1") {
		t.Fatalf("%q %v", other, err)
	}
	if back, err := withPrefix(other, "openledger"); err != nil || back != address {
		t.Fatalf("%q %v", back, err)
	}
	for _, bad := range []string{"", "openledger1", address[:len(address)-1] + "q", "openledger1b" + address[12:]} {
		if _, err := withPrefix(bad, "peer"); err == nil {
			t.Fatalf("%q was accepted", bad)
		}
	}
}

func TestAccountsWithFaultsAreRefused(t *testing.T) {
	good := `{"name":"a","address":"openledger1` + strings.Repeat("q", 38) + `","balance_uopen":"1","mnemonic":"` +
		strings.TrimSpace(strings.Repeat("word ", 24)) + `"}`
	cases := map[string]string{
		"empty":    `{"accounts":[]}`,
		"no json":  `accounts`,
		"twice":    `{"accounts":[` + good + `,` + good + `]}`,
		"zero":     `{"accounts":[` + strings.Replace(good, `"1"`, `"0"`, 1) + `]}`,
		"mnemonic": `{"accounts":[` + strings.Replace(good, "word ", "", 1) + `]}`,
		"prefix":   `{"accounts":[` + strings.Replace(good, "openledger1", "wasm1", 1) + `]}`,
	}
	for name, content := range cases {
		path := filepath.Join(t.TempDir(), "accounts.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAccounts(path); err == nil {
			t.Fatalf("%s was accepted", name)
		}
	}
}

func TestFurtherValidatorsAreNewAccountsOfThisChain(t *testing.T) {
	first := []account{{Name: "validator", Address: "openledger12tgw9wgv60qmxsk6gqcx0n8w04j3t6xumny0jd", Balance: "7"}}
	const other = "openledger139f5az79ausxfkdmg0d3g7vwl7edmvtxyys2x3"
	add := func(text string) ([]account, error) {
		path := filepath.Join(t.TempDir(), "validators.tsv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return addValidators(first, path, accountPrefix)
	}
	got, err := add("validator-2\t" + other + "\n")
	if err != nil || len(got) != 2 || got[1].Address != other || got[1].Balance != "7" {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range []string{"", "validator-2", "validator-2\t" + first[0].Address, "v\t" + other + "\nw\t" + other, "v\t" + other[:40]} {
		if _, err := add(bad); err == nil {
			t.Fatalf("%q was accepted", bad)
		}
	}
}

// The files for wallets and registries say the same as the chain that this program configures.
func TestRegistryFilesAgreeWithTheDevnet(t *testing.T) {
	read := func(path string, into any) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var wallet struct {
		ChainID string `json:"chainId"`
		RPC     string `json:"rpc"`
		REST    string `json:"rest"`
		Bip44   struct {
			CoinType int `json:"coinType"`
		} `json:"bip44"`
		Bech32  map[string]string `json:"bech32Config"`
		FeeCoin []struct {
			Denom string             `json:"coinMinimalDenom"`
			Steps map[string]float64 `json:"gasPriceStep"`
		} `json:"feeCurrencies"`
	}
	read("keplr.json", &wallet)
	var chain struct {
		Name   string `json:"chain_name"`
		ID     string `json:"chain_id"`
		Prefix string `json:"bech32_prefix"`
		Slip44 int    `json:"slip44"`
		APIs   map[string][]struct {
			Address string `json:"address"`
		} `json:"apis"`
	}
	read(filepath.Join("chain-registry", "chain.json"), &chain)
	var assets struct {
		Chain  string `json:"chain_name"`
		Assets []struct {
			Base string `json:"base"`
		} `json:"assets"`
	}
	read(filepath.Join("chain-registry", "assetlist.json"), &assets)

	if wallet.ChainID != chain.ID || wallet.Bip44.CoinType != chain.Slip44 || assets.Chain != chain.Name {
		t.Fatal("the files name different chains")
	}
	if len(wallet.Bech32) != 6 || wallet.Bech32["bech32PrefixAccAddr"] != chain.Prefix {
		t.Fatalf("prefixes: %v", wallet.Bech32)
	}
	if len(wallet.FeeCoin) != 1 || wallet.FeeCoin[0].Denom != denom || len(assets.Assets) != 1 || assets.Assets[0].Base != denom {
		t.Fatal("the files name different coins")
	}
	if low := wallet.FeeCoin[0].Steps["low"]; low < 0.0025 {
		t.Fatalf("the lowest gas price %v is under the node's minimum", low)
	}
	if wallet.RPC != chain.APIs["rpc"][0].Address || wallet.REST != chain.APIs["rest"][0].Address {
		t.Fatal("the files name different endpoints")
	}
}
