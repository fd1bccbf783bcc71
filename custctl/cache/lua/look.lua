-- Read a row's entry, and hand out a lease to the first who finds none.
-- KEYS: state, row, counts. ARGV: a token, milliseconds of a lease, milliseconds that an entry is fresh, whether it counts.
-- Returns: hit | miss | busy, the lease or '', payload or '', version or '', milliseconds of its age.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function fields(key)
  local flat, found = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function marks(of)
  local live, dead = false, {}
  for name, expiry in pairs(of) do
    if name:sub(1, 2) == 'm:' then
      if tonumber(expiry) > now then live = true else dead[#dead + 1] = name end
    end
  end
  return live, dead
end

local state, row = fields(KEYS[1]), fields(KEYS[2])
local all_live, all_dead = marks(state)
if #all_dead > 0 then
  -- Whoever wrote many rows was killed: which of them, nobody knows.
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
    and row.version:sub(1, 16) == state.epoch and age <= tonumber(ARGV[3]) then
  answer = 'hit'
elseif not row.lease or tonumber(row.leased) <= now then
  lease = ARGV[1]
  redis.call('HSET', KEYS[2], 'lease', lease, 'leased', string.format('%.0f', now + ARGV[2]))
  if redis.call('PTTL', KEYS[2]) < 0 then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
end
if ARGV[4] == '1' then redis.call('HINCRBY', KEYS[3], answer == 'hit' and 'hits' or 'misses', 1) end
local payload = row.payload or ''
-- A row of a history that was left is served to nobody, not even while the database is down.
if state.epoch and row.version and row.version:sub(1, 16) < state.epoch then payload = '' end
return {answer, lease, payload, row.version or '', string.format('%.0f', age)}
