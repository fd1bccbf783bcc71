-- Read a row's entry, and grant a lease to the first reader that misses.
-- KEYS: state, row, counts. ARGV: a token, milliseconds of a lease, milliseconds that an entry is fresh, whether to
-- count it.
-- Returns: hit | miss | busy, the lease or '', payload or '', version or '', its age in milliseconds.
-- A write without effect: a server that rejects writes misses every writer's announcement, and must not be trusted.
redis.call('HDEL', KEYS[1], '')
local state, row = fields(KEYS[1]), fields(KEYS[2])
local all_live, all_dead = marks(state)
if #all_dead > 0 then
  -- A bulk writer was killed: nobody knows which rows it wrote.
  redis.call('HDEL', KEYS[1], unpack(all_dead))
  redis.call('HSET', KEYS[1], 'generation', ARGV[1])
  state.generation = ARGV[1]
end
local live, dead = marks(row)
local age = row.at and math.max(now - tonumber(row.at), 0) or 0
local answer, lease = 'miss', ''
if live or all_live then
  answer = 'busy'
elseif row.payload and #dead == 0 and row.generation == state.generation
    and epoch_of(row.version) == state.epoch and age <= tonumber(ARGV[3]) then
  answer = 'hit'
elseif not row.lease or tonumber(row.leased) <= now then
  -- When memory is full the server rejects this: nobody fills, but existing entries are still served.
  local under = state.generation or ARGV[1]
  local leased = string.format('%.0f', now + ARGV[2])
  local given = redis.pcall('HSET', KEYS[2], 'lease', ARGV[1], 'leased', leased, 'under', under)
  if type(given) == 'number' then
    lease = ARGV[1]
    redis.call('HSETNX', KEYS[1], 'generation', under)
    if redis.call('PTTL', KEYS[2]) < 0 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
  end
end
if ARGV[4] == '1' then redis.pcall('HINCRBY', KEYS[3], answer == 'hit' and 'hits' or 'misses', 1) end
local payload = row.payload or ''
-- Never serve a row of an abandoned history, not even while the database is down.
if state.epoch and row.version and precedes(epoch_of(row.version), state.epoch) then payload = '' end
return {answer, lease, payload, row.version or '', string.format('%.0f', age)}
