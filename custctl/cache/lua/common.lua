-- Shared code, prepended to every script. `now` is the server's clock, in milliseconds.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function fields(key)
  local flat, found = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

-- Tell whether one version comes before another. Compare bytes: `<` uses the collation of the server's locale, and
-- some treat two letters as one (`aa` in Danish, `ff` in Welsh).
local function precedes(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = one:byte(i), other:byte(i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local function epoch_of(version) return version:sub(1, 16) end

-- Return whether any mark is live, and the names of the expired ones.
local function marks(of)
  local live, dead = false, {}
  for name, mark in pairs(of) do
    if name:sub(1, 2) == 'm:' then
      if tonumber(mark:match('^%d+')) > now then live = true else dead[#dead + 1] = name end
    end
  end
  return live, dead
end

-- Revoke the lease, so that no reader fills the entry. It only deletes, so it is allowed when memory is full, and so
-- are the commands after it in the same script.
local function void_lease(row) redis.call('HDEL', row, 'lease', 'leased', 'under') end
