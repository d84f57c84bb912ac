package redisq

import "github.com/redis/go-redis/v9"

// Everything that is written to Redis is written by these scripts, so that each
// step is done whole or not at all. All of them take the same
//
//	KEYS[1] head      hash: what the log has come to
//	                    id     its last entry, "<number>-<at>"; number 0 before the first
//	                    at     the log's clock at that entry, in microseconds since 1970
//	                    shift  by which that clock is ahead of Redis' own, in microseconds
//	                    token  the last fencing token given out
//	                    bytes  written since the last snapshot
//	                    size   of the last snapshot, unpacked
//	                    busy   until when somebody is at a new snapshot
//	                    until  the end of the last lease there is
//	                    version  of the machine that carries the log out
//	KEYS[2] log       stream: entries, each with
//	                    p  the entry before it, so that a reader notices whatever is missing
//	                    o  the token of the service whose commands these are, 0: nobody's
//	                    n  how many commands
//	                    c  the commands, a JSON array
//	KEYS[3] leases    hash: service → "<token> <until>", until by the log's clock
//	KEYS[4] snapshot  hash: id, the entry it comes after; data, a machine written down and packed
//
// and answer with {1, …} when it is done, or {0, why}: "none" (there is no
// log, or not all of one), "lost" (the log is another than the one that was followed, or has
// forgotten what was last seen of it), "stale" (the service has no lease any
// more, or another process has its name), "late" (the renewal was under way for so
// long that its service counts on it no more), "version" (the log is carried out by
// machines of another version).

// prelude is what the scripts have in common. The clock never goes back, though
// that of Redis may, as after a fail-over: it goes on from where it was. Nor does it
// leap ahead of those who wait: it stops where the last lease ends, and goes on
// by Redis' clock when the next is taken and nobody has one.
//
// Whatever is written comes after the end of the services whose leases have run
// out, each at the moment when its lease did: from then on such a service serves
// by itself, and nobody may count on its agents, not even for what fell due
// between that moment and this.
const prelude = `
local function load_head()
  local v = redis.call('HMGET', KEYS[1], 'id', 'at', 'shift', 'until')
  if not v[1] then return nil end
  local h = {id = v[1], at = tonumber(v[2]), shift = tonumber(v[3])}
  local stop = tonumber(v[4] or 0) + 1
  local t = redis.call('TIME')
  h.clock = string.format('%.0f', t[1] * 1000000 + t[2])
  h.now = t[1] * 1000000 + t[2] + h.shift
  if h.now < h.at then
    h.shift = h.shift + h.at - h.now
    h.now = h.at
    redis.call('HSET', KEYS[1], 'shift', string.format('%.0f', h.shift))
  end
  h.redis = h.now
  if h.now > stop then h.now = math.max(h.at, stop) end
  return h
end

local function add(h, token, count, commands, moment)
  local number = tonumber(string.match(h.id, '^%d+')) + 1
  moment = moment or h.now
  local at = string.format('%.0f', moment)
  local id = string.format('%.0f', number) .. '-' .. at
  redis.call('XADD', KEYS[2], id, 'p', h.id, 'o', token, 'n', count, 'c', commands)
  redis.call('HSET', KEYS[1], 'id', id, 'at', at)
  redis.call('HINCRBY', KEYS[1], 'bytes', #commands + 64)
  h.id, h.at = id, moment
end

local function lease(service)
  local l = redis.call('HGET', KEYS[3], service)
  if not l then return nil end
  local token, till = string.match(l, '^(%d+) (%d+)$')
  return token, tonumber(till)
end

local function grant(h, service, token, ttl)
  local till = string.format('%.0f', h.now + ttl)
  redis.call('HSET', KEYS[3], service, token .. ' ' .. till)
  local last = tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
  if h.now + ttl > last then redis.call('HSET', KEYS[1], 'until', till) end
end

local function gone(h, service, moment)
  add(h, '0', 1, cjson.encode({{['do'] = 'gone', owner = service, reason = 'gone'}}), moment)
  redis.call('HDEL', KEYS[3], service)
end

local function expire(h)
  local over = {}
  for _, service in ipairs(redis.call('HKEYS', KEYS[3])) do
    local _, till = lease(service)
    if till < h.now then table.insert(over, {service, till}) end
  end
  table.sort(over, function(a, b) return a[2] < b[2] or a[2] == b[2] and a[1] < b[1] end)
  for _, l in ipairs(over) do
    gone(h, l[1], math.max(h.at, l[2]))
  end
end

local function whole()
  local id, head = redis.call('HGET', KEYS[4], 'id'), redis.call('HGET', KEYS[1], 'id')
  if not id or not head then return false end
  local after = redis.call('XRANGE', KEYS[2], '(' .. id, '+', 'COUNT', 1)
  if #after == 0 then return id == head end
  return after[1][2][2] == id
end

local function refuses(h, service, token, seen)
  if not h then return 'none' end
  local holder, till = lease(service)
  if holder ~= token or till < h.now then return 'stale' end
  if seen ~= h.id and seen ~= redis.call('HGET', KEYS[4], 'id')
    and #redis.call('XRANGE', KEYS[2], seen, seen) == 0 then return 'lost' end
  return nil
end
`

// foundScript begins a log, where there is none, only a part of one, or one of
// another version that nobody else is following. Tokens and clock go on.
//
//	ARGV[1] data      the packed snapshot it begins with
//	ARGV[2] size      of it, unpacked, in bytes
//	ARGV[3] version   of the machine
//	ARGV[4] service   whose own lease does not count
//	result            {1, id}: the log there is now, whoever began it; {0, "version"}
var foundScript = redis.NewScript(prelude + `
local h = load_head()
if h and whole() then
  if redis.call('HGET', KEYS[1], 'version') == ARGV[3] then return {1, h.id} end
  for _, service in ipairs(redis.call('HKEYS', KEYS[3])) do
    local _, till = lease(service)
    if service ~= ARGV[4] and till >= h.now then return {0, 'version'} end
  end
end
local t = redis.call('TIME')
h = h or {redis = t[1] * 1000000 + t[2], shift = 0}
local token = redis.call('HGET', KEYS[1], 'token') or 0
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local at = string.format('%.0f', h.redis)
redis.call('HSET', KEYS[4], 'id', '0-' .. at, 'data', ARGV[1])
redis.call('HSET', KEYS[1], 'id', '0-' .. at, 'at', at, 'shift', string.format('%.0f', h.shift), 'token', token,
  'bytes', 0, 'size', ARGV[2], 'busy', 0, 'version', ARGV[3])
return {1, '0-' .. at}
`)

// enterScript gives a service its lease, with a new token. Whoever had the name
// before writes no more.
//
//	ARGV[1] service   its name
//	ARGV[2] ttl       how long the lease stands, in microseconds
//	ARGV[3] version   of the machine
//	result            {1, token, id of the last entry, Redis' own clock in microseconds}, {0, "none"}, {0, "version"}
var enterScript = redis.NewScript(prelude + `
local h = load_head()
if not h or not whole() then return {0, 'none'} end
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[3] then return {0, 'version'} end
expire(h)
if redis.call('HLEN', KEYS[3]) == 0 then h.now = h.redis end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
grant(h, ARGV[1], token, ARGV[2])
return {1, tostring(token), h.id, h.clock}
`)

// appendScript appends commands, all of them as one entry and at one moment.
//
//	ARGV[1] service   its name
//	ARGV[2] token     its lease's
//	ARGV[3] seen      the last entry it has read
//	ARGV[4] count     how many commands
//	ARGV[5] commands  a JSON array
//	result            {1, id}, {0, why}
var appendScript = redis.NewScript(prelude + `
local h = load_head()
local no = refuses(h, ARGV[1], ARGV[2], ARGV[3])
if no then return {0, no} end
expire(h)
add(h, ARGV[2], ARGV[4], ARGV[5])
return {1, h.id}
`)

// tickScript appends an entry without commands, so that time passes, if the
// moment has come and no entry has been made since: of many services that
// watch one timer the first is enough.
//
//	ARGV[1..3]        service, token, seen, as of appendScript
//	ARGV[4] due       by the log's clock, in microseconds
//	result            {1, 0}, {1, microseconds until it is due}, {0, why}
var tickScript = redis.NewScript(prelude + `
local h = load_head()
local no = refuses(h, ARGV[1], ARGV[2], ARGV[3])
if no then return {0, no} end
expire(h)
local due = tonumber(ARGV[4])
if h.now < due then return {1, due - h.now} end
if h.at < due then add(h, '0', 0, '[]') end
return {1, 0}
`)

// renewScript renews a lease, and asks one service at a time for a new snapshot when much has been written
// since the last.
//
//	ARGV[1..3]        service, token, seen, as of appendScript
//	ARGV[4] ttl       how long the lease stands from now, in microseconds
//	ARGV[5] least     how many bytes are not worth a snapshot
//	ARGV[6] latest    until when this may be done, by Redis' own clock, in microseconds
//	result            {1, id of the last entry, 1 when a snapshot is asked for or 0, Redis' own clock in microseconds}, {0, why}
var renewScript = redis.NewScript(prelude + `
local h = load_head()
local no = refuses(h, ARGV[1], ARGV[2], ARGV[3])
if no then return {0, no} end
if tonumber(h.clock) > tonumber(ARGV[6]) then return {0, 'late'} end
expire(h)
grant(h, ARGV[1], ARGV[2], ARGV[4])
local v = redis.call('HMGET', KEYS[1], 'bytes', 'size', 'busy')
local asked = 0
if tonumber(v[1]) > math.max(tonumber(ARGV[5]), tonumber(v[2])) and tonumber(v[3]) < h.now then
  asked = 1
  redis.call('HSET', KEYS[1], 'busy', string.format('%.0f', h.now + 60000000))
end
return {1, h.id, asked, h.clock}
`)

// leaveScript gives a lease back: the service is gone at once.
//
//	ARGV[1..3]        service, token, seen, as of appendScript
//	result            {1, id}, {0, why}
var leaveScript = redis.NewScript(prelude + `
local h = load_head()
local no = refuses(h, ARGV[1], ARGV[2], ARGV[3])
if no then return {0, no} end
expire(h)
gone(h, ARGV[1], h.now)
return {1, h.id}
`)

// snapshotScript replaces the snapshot by a newer one and forgets the entries
// before the old one: who reads slowly finds those since. One that is not newer, made
// by whoever was slow at it, is not kept: the entries between might be cut off.
//
//	ARGV[1..3]        service, token, seen, as of appendScript
//	ARGV[4] id        the entry the snapshot comes after
//	ARGV[5] data      packed
//	ARGV[6] size      unpacked, in bytes
//	result            {1, id of the snapshot there is now}, {0, why}
var snapshotScript = redis.NewScript(prelude + `
local h = load_head()
local no = refuses(h, ARGV[1], ARGV[2], ARGV[3])
if no then return {0, no} end
if #redis.call('XRANGE', KEYS[2], ARGV[4], ARGV[4]) == 0 then return {0, 'lost'} end
local old = redis.call('HGET', KEYS[4], 'id')
local function number(id) return tonumber(string.match(id, '^%d+')) end
if number(ARGV[4]) <= number(old) then return {1, old} end
redis.call('HSET', KEYS[4], 'id', ARGV[4], 'data', ARGV[5])
redis.call('XTRIM', KEYS[2], 'MINID', old)
redis.call('HSET', KEYS[1], 'bytes', 0, 'size', ARGV[6], 'busy', 0)
return {1, ARGV[4]}
`)
