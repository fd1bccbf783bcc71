-- Remove entries. An entry marked by a writer in flight loses its row, but keeps the mark.
-- KEYS: rows, and other keys of ours.
for _, key in ipairs(KEYS) do
  local marked = false
  if redis.call('TYPE', key).ok == 'hash' then
    for _, name in ipairs(redis.call('HKEYS', key)) do marked = marked or name:sub(1, 2) == 'm:' end
  end
  if marked then
    redis.call('HDEL', key, 'payload', 'generation', 'at')
    void_lease(key)
  else
    redis.call('UNLINK', key)
  end
end
return #KEYS
