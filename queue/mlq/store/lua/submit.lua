-- submit(common, jobs, templates, at) -> {submitted} or {unknown} or {taken}
--   common   flat list of hash fields and values that all jobs share
--   jobs     [{id, class, name, after, template, fields, delay, held}], fields flat like common;
--            template is the digest of what it has in common with others, or ''; delay: for how many
--            seconds it is not to start; held: why it waits for its user, or ''
--   templates  {digest: template}: see _templates.lua
--   at       time of submission, ISO
--   unknown  the first id in some `after` that is no job; then nothing at all was written
--   taken    the first id that is a job already; then nothing at all was written
local earlier = cached_reply()
if earlier then return earlier end

for _, job in ipairs(args.jobs) do
  if redis.call('EXISTS', job_key(job.id)) == 1 then
    return reply({ taken = job.id })
  end
end
local unknown = unknown_parent(args.jobs)
if unknown then
  return reply({ unknown = unknown })
end
for _, job in ipairs(args.jobs) do
  make_job(job, args.common, args.templates, args.at)
end
return reply({ submitted = #args.jobs })
