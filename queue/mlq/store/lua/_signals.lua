-- Signals on their way to running attempts: the text of mlq_signals, `sequence:attempt:number:whom`
-- for each, the oldest first, with a blank between two. What does not have this form is passed over.

local function signal_text(attempt, sequence, number, whom)
  return string.format('%d:%d:%d:%s', sequence, attempt, number, whom)
end

-- The signals of this attempt after the last one that its supervisor obeyed: {{sequence, number, whom}}.
local function signals_of(text, attempt, last)
  local found = {}
  for sequence, of, number, whom in string.gmatch(text or '', '(%d+):(%d+):(%d+):(%l+)') do
    if #sequence <= 15 and #of <= 9 and #number <= 2 and tonumber(of) == attempt
      and tonumber(sequence) > last then
      found[#found + 1] = { tonumber(sequence), tonumber(number), whom }
    end
  end
  return found
end

