package catalog_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/event/catalog"
	"github.com/google/uuid"
)

var (
	user = uuid.MustParse("3f333df6-90a4-4fda-8dd3-9485d27cee36")

	conn = uuid.MustParse("c0000000-0000-4000-8000-000000000000")
	acct = uuid.MustParse("a0000000-0000-4000-8000-000000000000")
	conv = uuid.MustParse("d0000000-0000-4000-8000-000000000000")
)

const (
	connJSON = `"connection_id":"c0000000-0000-4000-8000-000000000000"`
	acctJSON = `"account_id":"a0000000-0000-4000-8000-000000000000"`
	convJSON = `"conversation_id":"d0000000-0000-4000-8000-000000000000"`
)

// A row is one type of the catalog as clients see it.
type row struct {
	typ       event.Type
	category  event.Category
	ephemeral bool
	data      string
	check     func(t *testing.T, r row)
}

// kind makes a row whose check encodes and decodes the payload.
func kind[T any](k event.Kind[T], typ event.Type, c event.Category, ephemeral bool, payload T, data string) row {
	return row{typ, c, ephemeral, data, func(t *testing.T, r row) {
		if got := k.Info().Type; got != r.typ {
			t.Fatalf("the variable is the kind %q", got)
		}
		e, err := k.New(user, payload)
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Data()) != r.data {
			t.Errorf("data:\ngot  %s\nwant %s", e.Data(), r.data)
		}
		form, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := catalog.Registry.Decode(form)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(decoded, e) {
			t.Errorf("decoded:\ngot  %+v\nwant %+v", decoded, e)
		}
		if got, err := k.Payload(decoded); err != nil || !reflect.DeepEqual(got, payload) {
			t.Errorf("payload:\ngot  %+v, %v\nwant %+v", got, err, payload)
		}
	}}
}

// The whole vocabulary. Clients rely on its names, categories and keys.
var vocabulary = []row{
	kind(catalog.SyncAccountsStarted, "sync.accounts.started", "data_sync", false,
		catalog.SyncAccountsStartedPayload{ConnectionID: conn},
		`{`+connJSON+`}`),
	kind(catalog.SyncAccountsCompleted, "sync.accounts.completed", "data_sync", false,
		catalog.SyncAccountsCompletedPayload{ConnectionID: conn, AccountCount: 3},
		`{`+connJSON+`,"account_count":3}`),
	kind(catalog.SyncAccountsFailed, "sync.accounts.failed", "data_sync", false,
		catalog.SyncAccountsFailedPayload{ConnectionID: conn, Error: "timeout"},
		`{`+connJSON+`,"error":"timeout"}`),
	kind(catalog.SyncTransactionsStarted, "sync.transactions.started", "data_sync", false,
		catalog.SyncTransactionsStartedPayload{ConnectionID: conn, AccountID: acct},
		`{`+connJSON+`,`+acctJSON+`}`),
	kind(catalog.SyncTransactionsCompleted, "sync.transactions.completed", "data_sync", false,
		catalog.SyncTransactionsCompletedPayload{ConnectionID: conn, AccountID: acct, TransactionCount: 40},
		`{`+connJSON+`,`+acctJSON+`,"transaction_count":40}`),
	kind(catalog.SyncTransactionsFailed, "sync.transactions.failed", "data_sync", false,
		catalog.SyncTransactionsFailedPayload{ConnectionID: conn, AccountID: acct, Error: "timeout"},
		`{`+connJSON+`,`+acctJSON+`,"error":"timeout"}`),
	kind(catalog.SyncHoldingsStarted, "sync.holdings.started", "data_sync", false,
		catalog.SyncHoldingsStartedPayload{AccountID: acct},
		`{`+acctJSON+`}`),
	kind(catalog.SyncHoldingsCompleted, "sync.holdings.completed", "data_sync", false,
		catalog.SyncHoldingsCompletedPayload{AccountID: acct, HoldingCount: 5},
		`{`+acctJSON+`,"holding_count":5}`),
	kind(catalog.SyncHoldingsFailed, "sync.holdings.failed", "data_sync", false,
		catalog.SyncHoldingsFailedPayload{AccountID: acct, Error: "timeout"},
		`{`+acctJSON+`,"error":"timeout"}`),

	kind(catalog.ProviderTokenExpiring, "provider.token.expiring", "provider", false,
		catalog.ProviderTokenExpiringPayload{ConnectionID: conn, ProviderSlug: "acme_bank", ExpiresInSeconds: 300},
		`{`+connJSON+`,"provider_slug":"acme_bank","expires_in_seconds":300}`),
	kind(catalog.ProviderTokenRefreshed, "provider.token.refreshed", "provider", false,
		catalog.ProviderTokenRefreshedPayload{ConnectionID: conn, ProviderSlug: "acme_bank"},
		`{`+connJSON+`,"provider_slug":"acme_bank"}`),
	kind(catalog.ProviderTokenFailed, "provider.token.failed", "provider", false,
		catalog.ProviderTokenFailedPayload{ConnectionID: conn, ProviderSlug: "acme_bank", NeedsReauth: true},
		`{`+connJSON+`,"provider_slug":"acme_bank","needs_reauth":true}`),
	kind(catalog.ProviderDisconnected, "provider.disconnected", "provider", false,
		catalog.ProviderDisconnectedPayload{ConnectionID: conn, ProviderSlug: "acme_bank"},
		`{`+connJSON+`,"provider_slug":"acme_bank"}`),

	kind(catalog.AIResponseChunk, "ai.response.chunk", "ai", false, // but see its RetainFor
		catalog.AIResponseChunkPayload{ConversationID: conv, ResponseID: conv, Sequence: 2, Chunk: "Hel", IsFinal: true},
		`{`+convJSON+`,"response_id":"d0000000-0000-4000-8000-000000000000","sequence":2,"chunk":"Hel","is_final":true}`),
	kind(catalog.AIToolExecuting, "ai.tool.executing", "ai", true,
		catalog.AIToolExecutingPayload{ConversationID: conv, ToolName: "search"},
		`{`+convJSON+`,"tool_name":"search"}`),
	kind(catalog.AIResponseComplete, "ai.response.complete", "ai", false,
		catalog.AIResponseCompletePayload{ConversationID: conv},
		`{`+convJSON+`}`),

	kind(catalog.ImportStarted, "import.started", "import", false,
		catalog.ImportStartedPayload{FileName: "may.qfx", FileFormat: "qfx"},
		`{"file_name":"may.qfx","file_format":"qfx"}`),
	kind(catalog.ImportProgress, "import.progress", "import", true,
		catalog.ImportProgressPayload{FileName: "may.qfx", ProgressPercent: 40, RecordsProcessed: 80},
		`{"file_name":"may.qfx","progress_percent":40,"records_processed":80}`),
	kind(catalog.ImportCompleted, "import.completed", "import", false,
		catalog.ImportCompletedPayload{FileName: "may.qfx", RecordsImported: 200},
		`{"file_name":"may.qfx","records_imported":200}`),
	kind(catalog.ImportFailed, "import.failed", "import", false,
		catalog.ImportFailedPayload{FileName: "may.qfx", Error: "not a statement"},
		`{"file_name":"may.qfx","error":"not a statement"}`),

	kind(catalog.PortfolioBalanceUpdated, "portfolio.balance.updated", "portfolio", false,
		catalog.PortfolioBalanceUpdatedPayload{AccountID: acct, PreviousBalance: "1204.50", NewBalance: "1180.00", Currency: "EUR"},
		`{`+acctJSON+`,"previous_balance":"1204.50","new_balance":"1180.00","currency":"EUR"}`),
	kind(catalog.PortfolioHoldingsUpdated, "portfolio.holdings.updated", "portfolio", false,
		catalog.PortfolioHoldingsUpdatedPayload{AccountID: acct, HoldingsCount: 12},
		`{`+acctJSON+`,"holdings_count":12}`),
	kind(catalog.PortfolioNetWorthUpdated, "portfolio.networth.updated", "portfolio", false,
		catalog.PortfolioNetWorthUpdatedPayload{PreviousNetWorth: "90.10", NewNetWorth: "80.00", Delta: "-10.10", Currency: "EUR", AccountCount: 2},
		`{"previous_net_worth":"90.10","new_net_worth":"80.00","delta":"-10.10","currency":"EUR","account_count":2}`),

	kind(catalog.SecuritySessionNew, "security.session.new", "security", false,
		catalog.SecuritySessionNewPayload{SessionID: "s-1", DeviceInfo: "Firefox on Linux", IPAddress: "192.0.2.7", Location: "Lisbon, Portugal"},
		`{"session_id":"s-1","device_info":"Firefox on Linux","ip_address":"192.0.2.7","location":"Lisbon, Portugal"}`),
	kind(catalog.SecuritySessionSuspicious, "security.session.suspicious", "security", false,
		catalog.SecuritySessionSuspiciousPayload{SessionID: "s-1", Reason: "new country"},
		`{"session_id":"s-1","reason":"new country"}`),
	kind(catalog.SecuritySessionExpiring, "security.session.expiring", "security", false,
		catalog.SecuritySessionExpiringPayload{SessionID: "s-1", ExpiresInSeconds: 60},
		`{"session_id":"s-1","expires_in_seconds":60}`),
	kind(catalog.SecuritySessionRevoked, "security.session.revoked", "security", false,
		catalog.SecuritySessionRevokedPayload{SessionID: "s-1", DeviceInfo: "Firefox on Linux", Reason: "logged out elsewhere"},
		`{"session_id":"s-1","device_info":"Firefox on Linux","reason":"logged out elsewhere"}`),
	kind(catalog.SecurityPasswordChanged, "security.password.changed", "security", false,
		catalog.SecurityPasswordChangedPayload{InitiatedBy: "user"},
		`{"initiated_by":"user"}`),
	kind(catalog.SecurityLoginFailed, "security.login.failed", "security", false,
		catalog.SecurityLoginFailedPayload{Reason: "wrong password"},
		`{"reason":"wrong password"}`),
}

func TestCatalogMatchesVocabulary(t *testing.T) {
	if len(vocabulary) != 29 {
		t.Errorf("the table has %d types, want 29", len(vocabulary))
	}
	var want []event.Type
	for _, r := range vocabulary {
		want = append(want, r.typ)
		t.Run(string(r.typ), func(t *testing.T) {
			info, err := catalog.Registry.Lookup(r.typ)
			if err != nil {
				t.Fatal(err)
			}
			if info.Category != r.category || info.Ephemeral != r.ephemeral {
				t.Errorf("got category %q, ephemeral %t; want %q, %t", info.Category, info.Ephemeral, r.category, r.ephemeral)
			}
			r.check(t, r)
		})
	}

	// The catalog has no type that the table lacks.
	var got []event.Type
	for info := range catalog.Registry.All() {
		got = append(got, info.Type)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("types:\ngot  %q\nwant %q", got, want)
	}
	categories := catalog.Registry.Categories()
	slices.Sort(categories)
	if want := []event.Category{"ai", "data_sync", "import", "portfolio", "provider", "security"}; !slices.Equal(categories, want) {
		t.Errorf("categories: got %q, want %q", categories, want)
	}
}

// No two types share a payload, so the payload of another type does not compile.
func TestPayloadsAreDistinct(t *testing.T) {
	types := make(map[reflect.Type]event.Type)
	for info := range catalog.Registry.All() {
		if other, ok := types[info.Payload]; ok {
			t.Errorf("%s and %s share the payload %s", info.Type, other, info.Payload)
		}
		types[info.Payload] = info.Type
	}
}
