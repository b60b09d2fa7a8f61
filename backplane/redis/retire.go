package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/hub"
)

// The age of records is kept in the stream itself. A mark is a consumer group
// that nobody reads through: its name says when it was made, by the server's
// clock, and its last-delivered-id is the end of the stream at that time. So
// marks need no room in the records, know one clock only, and go with the
// stream when it is deleted.
const markPrefix = "crier.at:"

// retireScript makes a mark if the newest is old enough, and removes the records
// before the newest mark that is older than the maximal age. It does nothing to
// a stream with another identity.
//
// KEYS: the stream. ARGV: its identity, the prefix of marks, the maximal age and
// the interval of marks, in milliseconds.
var retireScript = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local same, newest, old, expired = false, 0, nil, {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
	local name, delivered
	for i = 1, #group, 2 do
		if group[i] == 'name' then name = group[i + 1] end
		if group[i] == 'last-delivered-id' then delivered = group[i + 1] end
	end
	if name == ARGV[1] then
		same = true
	elseif name:sub(1, #ARGV[2]) == ARGV[2] then
		local at = tonumber(name:sub(#ARGV[2] + 1))
		newest = math.max(newest, at)
		if at <= now - ARGV[3] then
			expired[#expired + 1] = name
			local p = tonumber(delivered:sub(3))
			if old == nil or p > old then old = p end
		end
	end
end
if not same then return 0 end
local removed = 0
if old ~= nil then
	removed = redis.call('XTRIM', KEYS[1], 'MINID', '0-' .. string.format('%d', old + 1))
	for _, name in ipairs(expired) do
		redis.call('XGROUP', 'DESTROY', KEYS[1], name)
	end
end
if newest <= now - ARGV[4] then
	redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[2] .. string.format('%d', now), '$')
end
return removed`)

// retire removes the records that are older than MaxAge, if it is time to. It is
// called often; groups are those of the stream.
func (b *Backplane) retire(ctx context.Context, n *redis.Client, identity string, groups []redis.XInfoGroup) error {
	age := b.options.MaxAge
	interval := age / markEvery
	// Only a hint, by this process's clock: the script decides by the server's.
	// Clocks that differ by more than interval make it run more often.
	for _, g := range groups {
		if at, ok := strings.CutPrefix(g.Name, markPrefix); ok {
			ms, err := strconv.ParseInt(at, 10, 64)
			if since := time.Since(time.UnixMilli(ms)); err == nil && since < interval && since > -interval {
				return nil
			}
		}
	}
	err := retireScript.Run(ctx, n, []string{b.options.Stream}, identity, markPrefix,
		age.Milliseconds(), interval.Milliseconds()).Err()
	if err = client.Classify("remove old records", err); err == nil || errors.Is(err, hub.ErrUnavailable) {
		return nil // the next check tries again
	}
	return err
}
