/**
 * What Redis does in one step. Every key has the same hash tag, so that one node of a Redis Cluster has them all:
 *
 * - `{prefix}:registry`, a hash: `id` and `complete` are the marker (registry.ts); `count` and `last` are number and
 *   stream id of the newest change; `size` is the number of names
 * - `{prefix}:cells`, a hash: cell to the id of the registry that it has written its names to
 * - `{prefix}:names`, a hash: name to record, in JSON: claim, generation, host and port, all texts, because cjson
 *   rounds large numbers; `era` is the registry's id at the time it was last written
 * - `{prefix}:hosts`, a hash: host to name
 * - `{prefix}:changes`, a stream: `registry`, `number`, `name`, `record` (empty: released)
 *
 * Every script begins with a question: is this still the content that the caller knows? The marker has the id that it
 * expects, the newest change that it has seen is in the stream, and no name is missing. So a Redis that was emptied,
 * restored from an older dump, or replaced by a replica that lagged, is noticed in the same step that would have
 * answered from it. Replies begin with the caller's nonce: an answer can never be taken for another one's.
 */
export function keys(prefix: string): readonly string[] {
  return ["registry", "cells", "names", "hosts", "changes"].map((key) => `{${prefix}}:${key}`);
}

const head = `
local registry, cells, names, hosts, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local nonce, expected, position = ARGV[1], ARGV[2], ARGV[3]
local marker = redis.call('HMGET', registry, 'id', 'complete', 'count', 'last', 'size')
local id, complete, count, last, size = marker[1], marker[2], marker[3], marker[4], marker[5]
local intact = id and tonumber(size) == redis.call('HLEN', names)
local function has(change)
  return change == '0-0' or #redis.call('XRANGE', changes, change, change) == 1
end
`;

const guard = `
if not intact or id ~= expected or not has(position) then return {nonce, 'lost'} end
local function reply(...)
  return {nonce, 'ok', complete, count, last, ...}
end
local function held(name)
  local text = redis.call('HGET', names, name)
  return text and cjson.decode(text)
end
local function append(name, record)
  last = redis.call('XADD', changes, 'MAXLEN', '~', ARGV[4], '*',
    'registry', id, 'number', count, 'name', name, 'record', record)
  redis.call('HSET', registry, 'last', last, 'size', redis.call('HLEN', names))
end
local function write(name, before, after)
  count = tostring(redis.call('HINCRBY', registry, 'count', 1))
  if before and before.host then redis.call('HDEL', hosts, before.host) end
  if not after then
    redis.call('HDEL', names, name)
    return append(name, '')
  end
  after.era = id
  if after.host then redis.call('HSET', hosts, after.host, name) end
  local text = cjson.encode(after)
  redis.call('HSET', names, name, text)
  append(name, text)
end
`;

/**
 * Finds out what the content is, and gives it a new id where there is none, or where changes that the caller has seen
 * are missing: then it is incomplete. Those who know the old id find it changed.
 *
 * ARGV: nonce, the expected id (empty: none), stream id and number of the newest change seen, a new id
 * Reply: nonce, `continued` | `trimmed` (all is there, but changes not seen yet may be gone) | `other` (another id, or
 * a new one), id, complete, count, last
 */
const attach = `${head}
local number, fresh = tonumber(ARGV[4]), ARGV[5]
local function renew()
  id, complete = fresh, '0'
  if not count or not last or not has(last) then
    count, last = count or '0', '0-0'
    redis.call('DEL', changes)
  end
  redis.call('HSET', registry, 'id', id, 'complete', complete, 'count', count, 'last', last,
    'size', redis.call('HLEN', names))
  return {nonce, 'other', id, complete, count, last}
end
if not intact or not count or not last or not has(last) then return renew() end
if id ~= expected then return {nonce, 'other', id, complete, count, last} end
if has(position) then return {nonce, 'continued', id, complete, count, last} end
local first = redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1]
if not first or tonumber(count) < number or tonumber(first[2][4]) <= number then return renew() end
return {nonce, 'trimmed', id, complete, count, last}
`;

const check = `${head}${guard}
return reply()
`;

/** ARGV[5]: name. Reply: …, record or empty */
const read = `${head}${guard}
return reply(redis.call('HGET', names, ARGV[5]) or '')
`;

/**
 * ARGV[5…]: name, claim, generation, host (empty: parked), port, `1` for a name that was held before
 * Reply: …, `changed` | `unchanged` | refusal
 */
const put = `${head}${guard}
local name, claim, generation, host, port = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local wasHeld = ARGV[10] == '1'
if host == '' then host, port = nil, nil end
local before = held(name)
if not before and complete ~= '1' and not wasHeld then return reply('incomplete') end
if before and before.claim ~= claim then
  -- Of an older dump: its holder has given it away since, or would have written it again, and found it taken.
  if complete == '1' or before.era == id or not wasHeld then return reply('claimed') end
elseif before and tonumber(before.generation) > tonumber(generation) then
  return reply('stale-generation')
end
local holder = host and redis.call('HGET', hosts, host)
if holder and holder ~= name then return reply('host-taken') end
if before and before.generation == generation and before.host == host and before.port == port then
  if before.era ~= id then
    before.era = id
    redis.call('HSET', names, name, cjson.encode(before))
  end
  return reply('unchanged')
end
write(name, before, {claim = claim, generation = generation, host = host, port = port})
return reply('changed')
`;

/**
 * ARGV[5…]: name, claim, generation. Reply: …, `changed` | `unchanged` | refusal
 *
 * In an incomplete registry the release of a name that is not there is told all the same: it may be remembered.
 */
const release = `${head}${guard}
local name, claim, generation = ARGV[5], ARGV[6], ARGV[7]
local before = held(name)
if not before then
  if complete ~= '1' then write(name, nil, nil) end
  return reply('unchanged')
end
if before.claim ~= claim then return reply('claimed') end
if tonumber(before.generation) > tonumber(generation) then return reply('stale-generation') end
write(name, before, nil)
return reply('changed')
`;

/** ARGV[5…]: name, claim, to. Reply: …, `changed` | `unchanged` | refusal */
const handOver = `${head}${guard}
local name, claim, to = ARGV[5], ARGV[6], ARGV[7]
local before = held(name)
if not before then return reply('absent') end
if before.claim == to then return reply('unchanged') end
if before.claim ~= claim then return reply('claimed') end
write(name, before, {claim = to, generation = '0'})
return reply('changed')
`;

/** ARGV[5…]: cursor, about how many. Reply: …, cursor of the next page (0: none), then name and record, alternating */
const page = `${head}${guard}
local found = redis.call('HSCAN', names, ARGV[5], 'COUNT', ARGV[6])
return reply(found[1], unpack(found[2]))
`;

/** Reply: …, then cell and the id that it has marked, alternating */
const state = `${head}${guard}
return reply(unpack(redis.call('HGETALL', cells)))
`;

/** ARGV[5…]: cell, the id that it has written its names to, all known cells. Reply: …, `marked` | `other-registry` */
const mark = `${head}${guard}
if ARGV[6] ~= id then return reply('other-registry') end
redis.call('HSET', cells, ARGV[5], id)
local all = true
for i = 7, #ARGV do all = all and redis.call('HGET', cells, ARGV[i]) == id end
if all then
  complete = '1'
  redis.call('HSET', registry, 'complete', complete)
end
return reply('marked')
`;

export const scripts = { attach, check, read, put, release, handOver, page, state, mark } as const;
export type ScriptName = keyof typeof scripts;
