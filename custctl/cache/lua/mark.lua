-- Announce a write in flight: until it ends, nobody trusts the entry, and nobody fills it.
-- KEYS: row, state; for a bulk write only the state.
-- ARGV: the writer's token, milliseconds of the mark, milliseconds to keep it,
-- a generation for a state that has none.
void_lease(KEYS[1])
local generation = ''
if KEYS[2] then
  redis.call('HSETNX', KEYS[2], 'generation', ARGV[4])
  generation = redis.call('HGET', KEYS[2], 'generation')
end
-- Store the generation at the start: a row written before a bulk write must not become current after it.
redis.call('HSET', KEYS[1], 'm:' .. ARGV[1], string.format('%.0f %s', now + ARGV[2], generation))
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 'marked'
