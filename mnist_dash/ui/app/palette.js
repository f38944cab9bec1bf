// The palette, the sheet and the keyboard shortcuts. Pages and networks are matched here, runs and studies by the server.

/**
 * @typedef {object} Place where one can go
 * @property {string} kind page, network, run or study
 * @property {string} name
 * @property {string} title
 * @property {string} note
 * @property {string} words what it can be found by besides
 */

/** @typedef {{ asked: string, places: Place[], problem: string }} Answer the server's, to what was typed */

/** @typedef {{ keys: string[], does: string, action: string, page: string, typing: boolean }} Shortcut */

/** @typedef {{ places: Place[], sheet: { where: string, rows: Shortcut[] }[], found?: Answer | null }} PaletteData */

/**
 * @typedef {object} State
 * @property {HTMLElement} root
 * @property {HTMLDialogElement} palette
 * @property {HTMLDialogElement} sheet
 * @property {HTMLInputElement} input
 * @property {HTMLElement} list
 * @property {HTMLElement} status
 * @property {Map<string, Answer>} answers by what was typed
 * @property {Place[]} shown
 * @property {number} at index of the marked one
 * @property {number} timer
 * @property {number} begun when a sequence of keys began
 * @property {PaletteData} data
 * @property {Reporter} report
 * @property {(event: KeyboardEvent) => void} listener
 */

/** @type {WeakMap<Element, State>} */
const states = new WeakMap()
const ASK_MS = 120
const SEQUENCE_MS = 1500
const TYPED_IN = "input, textarea, select, [contenteditable=''], [contenteditable=true], [role=textbox], [role=combobox], [role=spinbutton]"
const PRESSED_ONLY = "input:is([type=checkbox], [type=radio], [type=button], [type=submit], [type=range], [type=file])"

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string} [text]
 */
function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

/**
 * @param {string} text
 * @returns {string[]}
 */
const wordsOf = text => text.toLowerCase().match(/[\p{L}\p{N}_.]+/gu) ?? []

// Places whose title has the first word at its beginning come first; then by the order in which they were given.
/**
 * @param {Place[]} places
 * @param {string} text
 */
function matching(places, text) {
  const wanted = wordsOf(text)
  if (!wanted.length) return text.trim() ? [] : places.filter(place => place.kind === "page")
  const fits = places.filter(place => {
    const said = `${place.title} ${place.kind} ${place.words}`.toLowerCase()
    return wanted.every(word => said.includes(word))
  })
  /** @param {Place} place */
  const rank = place => (place.title.toLowerCase().startsWith(wanted[0]) ? 0 : 1)
  return fits.sort((one, other) => rank(one) - rank(other))
}

/** @param {State} state */
function shownPlaces(state) {
  const text = state.input.value
  const found = state.answers.get(text)?.places ?? []
  const exact = found.filter(place => place.kind === "run" && text.trim().length >= 4 && place.name.startsWith(text.trim().toLowerCase()))
  const fixed = matching(state.data.places, text)
  const rest = found.filter(place => !exact.includes(place))
  return text.trim() ? [...exact, ...fixed.slice(0, 8), ...rest] : [...rest, ...fixed]
}

/** @param {State} state */
function drawList(state) {
  const places = shownPlaces(state)
  const answer = state.answers.get(state.input.value)
  state.shown = places
  state.at = Math.min(state.at, Math.max(places.length - 1, 0))
  state.list.replaceChildren(
    ...places.map((place, index) => {
      const row = make("li", "")
      row.id = `jump-${index}`
      row.setAttribute("role", "option")
      row.append(make("span", "title", place.title), make("span", "note", place.note))
      row.onclick = () => choose(state, place)
      row.onpointermove = () => {
        if (state.at !== index) mark(state, index)
      }
      return row
    }),
  )
  mark(state, state.at)
  const counted = places.length === 1 ? "1 result" : `${places.length} results`
  state.status.textContent =
    answer?.problem || (answer ? (places.length ? counted : "No results. Try fewer words.") : "Searching runs and studies …")
}

/**
 * @param {State} state
 * @param {number} index
 */
function mark(state, index) {
  state.at = index
  for (const [at, row] of [...state.list.children].entries()) row.setAttribute("aria-selected", String(at === index))
  const row = state.list.children[index]
  if (row) state.input.setAttribute("aria-activedescendant", row.id)
  else state.input.removeAttribute("aria-activedescendant")
  row?.scrollIntoView({ block: "nearest" })
}

/**
 * @param {State} state
 * @param {number} delay in milliseconds
 */
function ask(state, delay) {
  clearTimeout(state.timer)
  const text = state.input.value
  if (!state.answers.has(text)) state.timer = window.setTimeout(() => state.report("asked", text), delay)
}

/**
 * @param {State} state
 * @param {Place | undefined} place
 */
function choose(state, place) {
  clearTimeout(state.timer)
  state.palette.close()
  if (place) state.report("chosen", { kind: place.kind, name: place.name })
}

/** @param {State} state */
function openPalette(state) {
  if (state.palette.open) {
    state.palette.close()
    return
  }
  state.sheet.close()
  state.input.value = ""
  state.at = 0
  state.answers.clear() // runs have come and gone since
  state.palette.showModal()
  state.input.focus()
  drawList(state)
  ask(state, 0)
}

/** @param {string} text */
function keys(text) {
  return text.split(" ").flatMap((key, index) => [...(index ? [" then "] : []), make("kbd", "", key)])
}

/** @param {State} state */
function openSheet(state) {
  const tables = state.data.sheet.map(({ where, rows }) => {
    const table = make("table", "")
    table.append(make("caption", "", where))
    for (const row of rows) {
      const line = make("tr", "")
      const cell = make("td", "")
      cell.append(...row.keys.flatMap((key, index) => [...(index ? [" or "] : []), ...keys(key)]))
      line.append(cell, make("td", "", row.does))
      table.append(line)
    }
    return table
  })
  state.sheet.querySelector(".jump-tables")?.replaceChildren(...tables)
  state.sheet.showModal()
}

/**
 * @param {State} state
 * @param {Shortcut} row
 */
function act(state, row) {
  if (row.action === "palette") openPalette(state)
  else if (row.action === "sheet") openSheet(state)
  else state.report("chosen", { kind: "page", name: row.page })
}

/** @param {Event} event */
function isTyping(event) {
  const target = event.composedPath()[0]
  if (!(target instanceof Element) || target.matches(PRESSED_ONLY)) return false
  return Boolean(
    target.closest(TYPED_IN) ||
      (target instanceof HTMLElement && target.isContentEditable) ||
      target.closest("canvas, [data-testid=stDataFrame]"),
  )
}

// Which shortcut a key completes; "g" alone begins one.
/**
 * @param {State} state
 * @param {KeyboardEvent} event
 */
function completed(state, event) {
  const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const held = event.ctrlKey || event.metaKey
  if (event.altKey || (held && event.shiftKey)) return null
  const wanted = held ? `Ctrl+${typed.toUpperCase()}` : performance.now() - state.begun < SEQUENCE_MS ? `g ${typed}` : typed
  state.begun = !held && typed === "g" && !wanted.includes(" ") ? performance.now() : -Infinity
  const rows = state.data.sheet.flatMap(part => part.rows)
  return rows.find(row => row.action && row.keys.includes(wanted) && (row.typing || !isTyping(event))) ?? null
}

/**
 * @param {State} state
 * @param {KeyboardEvent} event
 */
function onKey(state, event) {
  if (!state.root.isConnected || event.isComposing || event.repeat) return
  const isElsewhere = document.querySelector("[role=dialog]") && !state.palette.open && !state.sheet.open
  if (isElsewhere) return // a dialog of the page has the keyboard
  if (state.palette.open || state.sheet.open) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault()
      if (state.sheet.open) openPalette(state)
      else state.palette.close()
    }
    return
  }
  if (isTyping(event) && !(event.ctrlKey || event.metaKey)) {
    state.begun = -Infinity
    return
  }
  const row = completed(state, event)
  const begins = state.begun > 0
  if (!row && !begins) return
  event.preventDefault()
  event.stopImmediatePropagation() // Streamlit has meanings of its own for single letters
  if (row) act(state, row)
}

/**
 * @param {State} state
 * @param {KeyboardEvent} event
 */
function onPaletteKey(state, event) {
  const last = state.shown.length - 1
  const to = event.key === "ArrowDown" ? state.at + 1 : event.key === "ArrowUp" ? state.at - 1 : undefined
  event.stopPropagation() // nothing that is typed here is for the page behind
  if (event.isComposing) return
  if (to !== undefined) {
    event.preventDefault()
    mark(state, to > last ? 0 : to < 0 ? Math.max(last, 0) : to)
  } else if (event.key === "Enter") {
    event.preventDefault()
    choose(state, state.shown[state.at])
  }
}

/**
 * @param {ComponentRoot & HTMLElement} root
 * @returns {State}
 */
function start(root) {
  /** @type {State} */
  const state = {
    root,
    palette: root.querySelector(".jump-palette"),
    sheet: root.querySelector(".jump-sheet"),
    input: root.querySelector("input"),
    list: root.querySelector("ul"),
    status: root.querySelector(".jump-status"),
    answers: new Map(),
    shown: [],
    at: 0,
    timer: 0,
    begun: -Infinity,
    data: { places: [], sheet: [] },
    report: () => {},
    listener: event => onKey(state, event),
  }
  root.querySelector(".jump-open").onclick = () => openPalette(state)
  root.querySelector(".jump-keys").onclick = () => openSheet(state)
  for (const dialog of [state.palette, state.sheet]) {
    dialog.querySelector(".jump-close")?.addEventListener("click", () => dialog.close())
    dialog.onclick = event => {
      if (event.target === dialog) dialog.close()
    }
  }
  state.palette.onclose = () => clearTimeout(state.timer) // a late question would undo the way that was chosen
  state.palette.onkeydown = event => onPaletteKey(state, event)
  state.sheet.onkeydown = event => event.stopPropagation()
  state.input.oninput = () => {
    state.at = 0
    drawList(state)
    ask(state, ASK_MS)
  }
  window.addEventListener("keydown", state.listener, { capture: true })
  states.set(root, state)
  return state
}

/** @param {Component<PaletteData>} component */
export default function ({ data, parentElement, setTriggerValue }) {
  /** @type {ComponentRoot & HTMLElement} */
  const root = parentElement.querySelector(".jump")
  const state = states.get(root) ?? start(root)
  state.data = data
  state.report = setTriggerValue
  if (data.found) {
    state.answers.set(data.found.asked, data.found)
    if (state.palette.open) drawList(state)
  }
  return () => {
    window.removeEventListener("keydown", state.listener, { capture: true })
    clearTimeout(state.timer)
    states.delete(root)
  }
}
