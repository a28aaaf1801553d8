//go:build sys_wasmvm

// Tests of the compiled IBC gateway and escrow on the pinned wasmd and ibc-go: what
// becomes of coins when a callback is served, fails, is missing or runs out of gas (PROTOCOL P1).
package callbacks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdkmath "cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v10/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v10/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v10/modules/core/04-channel/types"
	ibctesting "github.com/cosmos/ibc-go/v10/testing"

	wasmibctesting "github.com/CosmWasm/wasmd/tests/wasmibctesting"
	wasmtypes "github.com/CosmWasm/wasmd/x/wasm/types"
)

const (
	denom = "stake"
	// What is paid in or out.
	amount = 300_000
	// Gas for which a relayer is asked.
	enough = "1000000"
)

// world is our chain (A) with escrow and gateway, linked to another one (B).
type world struct {
	t       *testing.T
	coord   *ibctesting.Coordinator
	ours    *wasmibctesting.WasmTestChain
	other   *wasmibctesting.WasmTestChain
	path    *wasmibctesting.WasmPath
	escrow  string
	gateway string
	// The other chain's coin as it exists here.
	voucher string
}

// wasmDir is where scripts/build-contracts leaves the contracts.
func wasmDir() string {
	if dir := os.Getenv("CARGO_TARGET_DIR"); dir != "" {
		return filepath.Join(dir, "contracts")
	}
	return filepath.Join("..", "..", "target", "contracts")
}

func newWorld(t *testing.T) *world {
	t.Helper()
	gatewayWasm := filepath.Join(wasmDir(), "ibc-gateway.wasm")
	escrowWasm := filepath.Join(wasmDir(), "payable-escrow.wasm")
	for _, file := range []string{gatewayWasm, escrowWasm} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("%s is not built: scripts/build-contracts ibc-gateway payable-escrow", file)
		}
	}
	coord := wasmibctesting.NewCoordinator(t, 2)
	w := &world{
		t:     t,
		coord: coord,
		ours:  wasmibctesting.NewWasmTestChain(coord.GetChain(ibctesting.GetChainID(1))),
		other: wasmibctesting.NewWasmTestChain(coord.GetChain(ibctesting.GetChainID(2))),
	}
	w.path = wasmibctesting.NewWasmPath(w.ours, w.other)
	for _, end := range []*ibctesting.Endpoint{w.path.EndpointA, w.path.EndpointB} {
		end.ChannelConfig = &ibctesting.ChannelConfig{
			PortID: transfertypes.PortID, Version: transfertypes.V1, Order: channeltypes.UNORDERED,
		}
	}
	coord.Setup(&w.path.Path)
	hop := transfertypes.NewHop(transfertypes.PortID, w.path.EndpointA.ChannelID)
	w.voucher = transfertypes.NewDenom(denom, hop).IBCDenom()

	owner := w.ours.SenderAccount.GetAddress().String()
	// Any addresses do as registries: they answer nothing, so the escrow refuses every session.
	w.escrow = w.instantiate(escrowWasm, fmt.Sprintf(`{"owner":%q,"model_registry":%q,"node_registry":%q,"params":{
		"denoms":[{"denom":%q,"min_deposit":"100000","open_fee":"5000","min_fee":"10000"}],
		"grace_blocks":2,"challenge_blocks":2,"unattested_windows":4,"max_session_blocks":100,"in_flight":4,
		"epoch_blocks":2,"abandoned_epochs":3,"audit_bps":4000,"abandoned_cut_bps":1000,"exposure_bps":5000}}`,
		owner, owner, owner, w.voucher))
	// Both chains are of one make here, and so are their addresses.
	prefix, _, _ := strings.Cut(owner, "1")
	prices := `"min_payout":"1000","max_bounty":"500"`
	w.gateway = w.instantiate(gatewayWasm, fmt.Sprintf(`{"owner":%q,"escrow":%q,"params":%s,"routes":[{
		"name":"other","channel_id":%q,"prefix":%q,"timeout_seconds":60,"enabled":true,
		"denoms":[{"denom":%q,%s,"pay_in":true},{"denom":%q,%s,"pay_in":false}]}]}`,
		owner, w.escrow, params(300_000), w.path.EndpointA.ChannelID, prefix, w.voucher, prices, denom, prices))
	w.execute(w.escrow, fmt.Sprintf(`{"connect_gateway":{"gateway":%q}}`, w.gateway))
	return w
}

func params(callbackGas int) string {
	return fmt.Sprintf(`{"grace_seconds":1,"holdoff_blocks":1,"max_attempts":5,"bounty_bps":100,
		"bounty_window_blocks":720,"bounties_per_window":200,"callback_gas":%d,"send_gas":400000,
		"open_gas":600000}`, callbackGas)
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) instantiate(file, msg string) string {
	w.t.Helper()
	code := w.ours.StoreCodeFile(file).CodeID
	owner := w.ours.SenderAccount.GetAddress().String()
	result, err := w.ours.SendMsgs(&wasmtypes.MsgInstantiateContract{
		Sender: owner, Admin: owner, CodeID: code, Label: filepath.Base(file), Msg: []byte(msg),
	})
	w.check(err)
	var response wasmtypes.MsgInstantiateContractResponse
	w.ours.UnwrapExecTXResult(result, &response)
	return response.Address
}

func (w *world) execute(contract, msg string) *abci.ExecTxResult {
	w.t.Helper()
	result, err := w.ours.SendMsgs(&wasmtypes.MsgExecuteContract{
		Sender: w.ours.SenderAccount.GetAddress().String(), Contract: contract, Msg: []byte(msg),
	})
	w.check(err)
	return result
}

// ask is a query of the gateway.
func (w *world) ask(msg string, answer any) error {
	return w.ours.SmartQuery(w.gateway, json.RawMessage(msg), answer)
}

// balance of an address in base units.
func (w *world) balance(chain *wasmibctesting.WasmTestChain, address, denom string) int64 {
	w.t.Helper()
	account, err := sdk.AccAddressFromBech32(address)
	w.check(err)
	return chain.Balance(account, denom).Amount.Int64()
}

func (w *world) payer() string { return w.other.SenderAccount.GetAddress().String() }

// payIn sends the other chain's coins to the gateway and relays packet and acknowledgement. It says what
// the payer lost by it.
func (w *world) payIn(memo string) int64 {
	w.t.Helper()
	before := w.balance(w.other, w.payer(), denom)
	coin := sdk.NewCoin(denom, sdkmath.NewInt(amount))
	end := w.path.EndpointB
	timeout := uint64(w.other.GetContext().BlockTime().Add(3_600_000_000_000).UnixNano())
	_, err := w.other.SendMsgs(transfertypes.NewMsgTransfer(
		end.ChannelConfig.PortID, end.ChannelID, coin, w.payer(), w.gateway, clienttypes.Height{}, timeout, memo,
	))
	w.check(err)
	w.check(wasmibctesting.RelayAndAckPendingPackets(w.path))
	return before - w.balance(w.other, w.payer(), denom)
}

func (w *world) memo(gas string, rest string) string {
	return fmt.Sprintf(`{"dest_callback":{"address":%q,"gas_limit":%q}%s}`, w.gateway, gas, rest)
}

type payIn struct {
	Account string `json:"account"`
	Outcome struct {
		Booked struct {
			Reason string `json:"reason"`
		} `json:"booked"`
	} `json:"outcome"`
}

func (w *world) outcome(sequence uint64) (found payIn, err error) {
	err = w.ask(fmt.Sprintf(`{"pay_in":{"channel_id":%q,"sequence":%d}}`, w.path.EndpointA.ChannelID, sequence), &found)
	return found, err
}

func (w *world) flush(denom, account string) *abci.ExecTxResult {
	w.t.Helper()
	return w.execute(w.gateway, fmt.Sprintf(
		`{"flush_payouts":{"route":"other","denom":%q,"accounts":[%q],"start_after":null,"limit":null}}`, denom, account))
}

// surplus of the gateway in a denom, after checking that its equations hold.
func (w *world) surplus(denom string) string {
	w.t.Helper()
	var answer struct {
		Holds  bool `json:"holds"`
		Denoms []struct {
			Denom   string `json:"denom"`
			Surplus string `json:"surplus"`
		} `json:"denoms"`
	}
	w.check(w.ask(`{"invariants":{}}`, &answer))
	if !answer.Holds {
		w.t.Fatalf("the gateway's equations do not hold: %+v", answer)
	}
	for _, entry := range answer.Denoms {
		if entry.Denom == denom {
			return entry.Surplus
		}
	}
	w.t.Fatalf("the gateway does not know %s", denom)
	return ""
}

// A memo that cannot be read, and an order that the escrow refuses, are booked and go back by a payout.
func TestRuleP1BadPayInsAreBookedAndGoBack(t *testing.T) {
	w := newWorld(t)
	order := fmt.Sprintf(`,"openledger":{"refund":{"remote":%q},"order":{"open_session":{"model_id":1,
		"model_version":1,"session_key":"02%064d","nodes":[{"node_id":1,"cap":"1000"}],"blocks":null}}}`, w.payer(), 1)
	cases := []struct{ rest, reason string }{
		{"", "the memo names no refund address"},
		{`,"openledger":{"refund":{"remote":"nobody"}}`, "the refund address is none of the route's chain"},
		{order, "the escrow refused it"},
	}
	var account string
	for i, tried := range cases {
		if lost := w.payIn(w.memo(enough, tried.rest)); lost != amount {
			t.Fatalf("%s: the payer lost %d", tried.reason, lost)
		}
		found, err := w.outcome(uint64(i + 1))
		w.check(err)
		if found.Outcome.Booked.Reason != tried.reason {
			t.Fatalf("%q is not %q", found.Outcome.Booked.Reason, tried.reason)
		}
		account = found.Account
	}
	w.flush(w.voucher, account)
	before := w.balance(w.other, w.payer(), denom)
	w.check(wasmibctesting.RelayAndAckPendingPackets(w.path))
	if got := w.balance(w.other, w.payer(), denom) - before; got != 3*amount-500 {
		t.Fatalf("%d came back", got)
	}
	if surplus := w.surplus(w.voucher); surplus != "0" {
		t.Fatalf("surplus %s", surplus)
	}
}

// What an error of a destination callback does on this ibc-go: an error acknowledgement, by which the
// coins return to the payer; nothing stays here. Running out of the gas that the memo asks for is such
// an error.
func TestRuleP1ADestinationCallbackThatFailsReturnsTheCoins(t *testing.T) {
	w := newWorld(t)
	noContract := fmt.Sprintf(`{"dest_callback":{"address":%q,"gas_limit":%q}}`,
		w.ours.SenderAccount.GetAddress().String(), enough)
	noEntryPoint := fmt.Sprintf(`{"dest_callback":{"address":%q,"gas_limit":%q}}`, w.escrow, enough)
	malformed := `{"dest_callback":{"address":7}}`
	for name, memo := range map[string]string{
		"out of gas": w.memo("20000", ""), "not a contract": noContract, "no entry point": noEntryPoint,
		"malformed": malformed,
	} {
		if lost := w.payIn(memo); lost != 0 {
			t.Errorf("%s: the payer lost %d", name, lost)
		}
		if held := w.balance(w.ours, w.gateway, w.voucher); held != 0 {
			t.Errorf("%s: the gateway holds %d", name, held)
		}
	}
}

// Without a callback the coins are the gateway's surplus; the owner books them to the payer.
func TestRuleP1ATransferWithoutCallbackIsSurplusThatTheOwnerBooks(t *testing.T) {
	w := newWorld(t)
	if lost := w.payIn(""); lost != amount {
		t.Fatalf("the payer lost %d", lost)
	}
	if surplus := w.surplus(w.voucher); surplus != fmt.Sprint(amount) {
		t.Fatalf("surplus %s", surplus)
	}
	w.payIn(w.memo(enough, ""))
	found, err := w.outcome(2)
	w.check(err)
	w.execute(w.gateway, fmt.Sprintf(`{"book_surplus":{"denom":%q,"amount":"%d","account":%q}}`,
		w.voucher, amount, found.Account))
	w.flush(w.voucher, found.Account)
	before := w.balance(w.other, w.payer(), denom)
	w.check(wasmibctesting.RelayAndAckPendingPackets(w.path))
	if got := w.balance(w.other, w.payer(), denom) - before; got != 2*amount-500 {
		t.Fatalf("%d came back", got)
	}
}

type payout struct {
	State    string `json:"state"`
	Overdue  bool   `json:"overdue"`
	Sequence uint64 `json:"sequence"`
}

// earn gives our sender an accrued balance and a preference on the other chain.
func (w *world) earn() (account string) {
	w.t.Helper()
	account = w.ours.SenderAccount.GetAddress().String()
	w.ours.Fund(sdk.MustAccAddressFromBech32(w.gateway), sdkmath.NewInt(amount))
	w.execute(w.gateway, fmt.Sprintf(`{"book_surplus":{"denom":%q,"amount":"%d","account":%q}}`, denom, amount, account))
	w.execute(w.gateway, fmt.Sprintf(`{"set_preference":{"route":"other","remote_addr":%q}}`, w.payer()))
	return account
}

func (w *world) payout(id int) (found payout) {
	w.t.Helper()
	w.check(w.ask(fmt.Sprintf(`{"payout":{"payout_id":%d}}`, id), &found))
	return found
}

func (w *world) bounty() string {
	w.t.Helper()
	var answer struct {
		Amounts []struct {
			Amount string `json:"amount"`
		} `json:"amounts"`
	}
	w.check(w.ask(fmt.Sprintf(`{"bounties":{"relayer":%q}}`, w.ours.SenderAccount.GetAddress().String()), &answer))
	if len(answer.Amounts) == 0 {
		return "0"
	}
	return answer.Amounts[0].Amount
}

// A payout settles by its acknowledgement and pays the relayer, and comes back by its timeout.
func TestRuleI4APayoutSettlesOrComesBack(t *testing.T) {
	w := newWorld(t)
	account := w.earn()
	w.flush(denom, account)
	voucher := transfertypes.NewDenom(denom, transfertypes.NewHop(transfertypes.PortID, w.path.EndpointB.ChannelID)).IBCDenom()
	w.check(wasmibctesting.RelayAndAckPendingPackets(w.path))
	if got := w.balance(w.other, w.payer(), voucher); got != amount-500 {
		t.Fatalf("%d arrived", got)
	}
	if found := w.payout(1); found.State != "settled" || found.Sequence != 1 {
		t.Fatalf("%+v", found)
	}
	if got := w.bounty(); got != "500" {
		t.Fatalf("the relayer earned %s", got)
	}
	w.earn()
	w.flush(denom, account)
	w.coord.IncrementTimeBy(120_000_000_000)
	w.coord.CommitBlock(w.ours.TestChain, w.other.TestChain)
	w.check(wasmibctesting.TimeoutPendingPackets(w.coord, w.path))
	if found := w.payout(2); found.State != "refunded" {
		t.Fatalf("%+v", found)
	}
	if got := w.bounty(); got != "500" {
		t.Fatalf("the relayer earned %s", got)
	}
	w.execute(w.gateway, fmt.Sprintf(`{"withdraw":{"denoms":[%q]}}`, denom))
	if held := w.balance(w.ours, w.gateway, denom); held != 500 {
		t.Fatalf("the gateway holds %d", held)
	}
}

// A source callback that runs out of gas is lost: ibc-go keeps the refund and tells nobody. The coins
// are surplus until the owner resolves the payout.
func TestRuleA2ASourceCallbackThatRunsOutOfGasIsRepairedByTheOwner(t *testing.T) {
	w := newWorld(t)
	account := w.earn()
	w.execute(w.gateway, fmt.Sprintf(`{"update_params":{"params":%s}}`, params(100_000)))
	w.flush(denom, account)
	w.coord.IncrementTimeBy(120_000_000_000)
	w.coord.CommitBlock(w.ours.TestChain, w.other.TestChain)
	w.check(wasmibctesting.TimeoutPendingPackets(w.coord, w.path))
	if found := w.payout(1); found.State != "in_flight" || !found.Overdue {
		t.Fatalf("%+v", found)
	}
	if surplus := w.surplus(denom); surplus != fmt.Sprint(amount-500) {
		t.Fatalf("surplus %s", surplus)
	}
	w.execute(w.gateway, `{"mark_unresolved":{"payout_id":1}}`)
	w.execute(w.gateway, `{"resolve_payout":{"payout_id":1,"outcome":"refunded"}}`)
	if surplus := w.surplus(denom); surplus != "0" {
		t.Fatalf("surplus %s", surplus)
	}
	w.execute(w.gateway, fmt.Sprintf(`{"withdraw":{"denoms":[%q]}}`, denom))
	if held := w.balance(w.ours, w.gateway, denom); held != 0 {
		t.Fatalf("the gateway holds %d", held)
	}
}
