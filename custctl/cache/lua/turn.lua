-- Stop trusting all entries cached so far, after a bulk write or a fork of the history.
-- KEYS: state. ARGV: the writer's token, a new generation, the epoch or ''.
redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1])
redis.call('HSET', KEYS[1], 'generation', ARGV[2])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if ARGV[3] ~= '' and (not epoch or precedes(epoch, ARGV[3])) then redis.call('HSET', KEYS[1], 'epoch', ARGV[3]) end
return 'turned'
