-- list(fields, ids, index?, from_score?, after?, limit?) -> {rows, next}
--   fields  names of the hash fields wanted, `status` first
--   ids     list just these; or empty: a page of an index
--   index   mlq:jobs, mlq:unended (in order of submission) or mlq:ended (in order of end)
--   from_score, after, limit   which page: scores from here on, offset, length
--   rows    [[id, value, ...]]: '' for a field that is not set; no row for what is no job
--   next    offset of the next page, or 0 if this was the last
-- Read-only.
local ids = args.ids
local following = 0
if #ids == 0 then
  ids = redis.call('ZRANGEBYSCORE', args.index, args.from_score, '+inf', 'LIMIT', args.after, args.limit)
  if #ids == args.limit then
    following = args.after + args.limit
  end
end
local rows = {}
for _, id in ipairs(ids) do
  add_row(rows, id, args.fields)
end
return cjson.encode({ rows = rows, next = following })
