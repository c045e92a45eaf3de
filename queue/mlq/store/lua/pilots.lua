-- pilots() -> {pools, now_s}
--   pools   flat list: id, text of a pool of pilots (mlq.pilots.pool), id, ...
--   now_s   unix time by this server's clock, by which all managers go
-- Read-only.
return cjson.encode({ pools = redis.call('HGETALL', 'mlq:pilots'), now_s = now() })
