-- What the scripts share; it stands before each of them. Time is the server's own.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function fields(key)
  local flat, found = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

-- Tell whether one version comes before another. Byte by byte: `<` goes by the collation of the server's locale, and
-- some read two letters as one (`aa` in Danish, `ff` in Welsh).
local function precedes(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = one:byte(i), other:byte(i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local function epoch_of(version) return version:sub(1, 16) end

-- Return whether a mark is live, and the names of those that have run out.
local function marks(of)
  local live, dead = false, {}
  for name, mark in pairs(of) do
    if name:sub(1, 2) == 'm:' then
      if tonumber(mark:match('^%d+')) > now then live = true else dead[#dead + 1] = name end
    end
  end
  return live, dead
end

-- It is a fence against fillers too. As it takes away alone, it is allowed where memory is full, and so is, in one script,
-- what follows it.
local function void_lease(row) redis.call('HDEL', row, 'lease', 'leased', 'under') end
