-- record_sightings(sightings, ttl_s) -> {}
--   sightings  what the reaper saw of silent machines on NFS, JSON text; it expires without news
-- Not cached: doing it twice does no harm.
redis.call('SET', 'mlq:sightings', args.sightings, 'PX', math.ceil(args.ttl_s * 1000))
return '{}'
