// A parameter's row: its name, a control by its kind, and a cross that unsets it. The panel has one for each, a column of the
// Compare tab one for each that it sets itself. `panel`: {prefix (of ids), values(), set(name, value), publish()}; `values()` is
// what is set now and may be written to before `publish`.
window.playground.paramRow = (() => {
  const {make} = playground;

  return function row(spec, panel) {
    const say = playground.saying();

    function frame(spec) {
      const id = panel.prefix + spec.name, label = make('label', {for: id, text: say('param_' + spec.name), title: say('help_' + spec.name)});
      const state = make('span', {class: 'pg-unset-label', text: say('unset')});
      const clear = make('button', {type: 'button', class: 'pg-clear', title: say('unset_action'), 'aria-label': say('unset_action') + ': ' + say('param_' + spec.name), text: '×'});
      clear.addEventListener('click', () => panel.set(spec.name, null));
      const head = make('div', {class: 'pg-param-head'}, label, state);
      const row = make('div', {class: 'pg-param', 'data-name': spec.name}, head);
      return {id, row, head, clear, mark: (unset) => { row.classList.toggle('pg-unset', unset); clear.hidden = unset; }};
    }

    // A slider with a number box. Touching either sets the parameter; the cross unsets it.
    function numeric(spec) {
      const {id, row, head, clear, mark} = frame(spec), bounded = spec.high - spec.low <= 1e7;
      const box = make('input', {type: 'number', id, min: spec.low, max: spec.high, step: spec.step, class: 'pg-number', inputmode: 'decimal', placeholder: '–', title: say('help_' + spec.name)});
      head.append(box, clear);
      const slider = bounded ? make('input', {type: 'range', min: spec.low, max: spec.high, step: spec.step, 'aria-label': say('param_' + spec.name), title: say('help_' + spec.name)}) : null;
      const fill = (value) => slider && slider.style.setProperty('--fill', 100 * (value - spec.low) / (spec.high - spec.low) + '%');
      if (slider) {
        row.append(slider);
        slider.addEventListener('input', () => panel.set(spec.name, Number(slider.value)));
        slider.addEventListener('pointerdown', () => { if (panel.values()[spec.name] == null) panel.set(spec.name, Number(slider.value)); });
      }
      box.addEventListener('input', () => {
        if (box.value === '') { if (!box.validity.badInput) { panel.values()[spec.name] = null; mark(true); panel.publish(); } return; }
        const value = Number(box.value), fits = value >= spec.low && value <= spec.high && (spec.kind !== 'int' || Number.isInteger(value));
        box.classList.toggle('pg-invalid', !fits);
        box.title = fits ? say('help_' + spec.name) : say('range').replace('{low}', spec.low).replace('{high}', spec.high);
        panel.values()[spec.name] = value; mark(false);
        if (slider) { slider.value = value; fill(value); }
        panel.publish();
      });
      return {row, show(value) {
        mark(value == null); box.classList.remove('pg-invalid');
        if (document.activeElement !== box) box.value = value ?? '';
        if (slider) { slider.value = value ?? spec.default ?? spec.low; fill(Number(slider.value)); }
      }};
    }

    // Up to four sequences as chips; Enter or Tab adds one, `\n` is a line break.
    function chips(spec) {
      const {id, row, head, clear, mark} = frame(spec), list = make('div', {class: 'pg-chips'});
      const box = make('input', {type: 'text', id, class: 'pg-chip-input', placeholder: say('stop_placeholder'), autocomplete: 'off', spellcheck: 'false'});
      head.append(clear); list.append(box); row.append(list);
      const add = () => {
        const value = box.value, now = panel.values()[spec.name] || [];
        if (!value || now.includes(value) || now.length >= 4) return false;
        box.value = ''; panel.set(spec.name, [...now, value]);
        return true;
      };
      box.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' || event.key === 'Tab') { if (add()) event.preventDefault(); }
        if (event.key === 'Backspace' && !box.value && panel.values()[spec.name]?.length) panel.set(spec.name, panel.values()[spec.name].slice(0, -1).length ? panel.values()[spec.name].slice(0, -1) : null);
      });
      box.addEventListener('blur', add);
      return {row, show(value) {
        mark(!value?.length);
        list.querySelectorAll('.pg-chip').forEach((chip) => chip.remove());
        (value || []).forEach((sequence, at) => {
          const drop = make('button', {type: 'button', text: '×', 'aria-label': say('remove') + ' ' + sequence});
          drop.addEventListener('click', () => { const left = panel.values()[spec.name].filter((_, i) => i !== at); panel.set(spec.name, left.length ? left : null); });
          box.before(make('span', {class: 'pg-chip'}, make('code', {text: sequence}), drop));
        });
        box.hidden = (value || []).length >= 4;
      }};
    }

    function written(spec) {
      const {id, row, head, clear, mark} = frame(spec);
      const box = make('input', {type: 'text', id, class: 'pg-text', placeholder: say('placeholder_' + spec.name), autocomplete: 'off', spellcheck: 'false', title: say('help_' + spec.name)});
      head.append(clear); row.append(box);
      box.addEventListener('input', () => { panel.values()[spec.name] = box.value || null; mark(!box.value); panel.publish(); });
      return {row, show(value) { mark(value == null); if (document.activeElement !== box) box.value = value ?? ''; }};
    }

    function toggle(spec) {
      const {id, row, head, clear, mark} = frame(spec);
      const box = make('input', {type: 'checkbox', id, class: 'pg-switch', role: 'switch', title: say('help_' + spec.name)});
      head.append(box, clear);
      box.addEventListener('change', () => panel.set(spec.name, box.checked));
      return {row, show(value) { mark(value == null); box.checked = value === true; }};
    }

    // Show probabilities: the same row, but what it sets is how many alternatives come with each token.
    function probabilities(spec) {
      const made = toggle(spec), box = made.row.querySelector('input'), fresh = box.cloneNode();
      box.replaceWith(fresh);
      fresh.addEventListener('change', () => panel.set(spec.name, fresh.checked ? spec.start : null));
      return {row: made.row, show(value) {
        made.row.classList.toggle('pg-unset', value == null); fresh.checked = value != null;
        made.row.querySelector('.pg-clear').hidden = true;
      }};
    }

    // A word among those the servers know; nothing chosen is unset.
    function option(spec) {
      const {id, row, head, clear, mark} = frame(spec), box = make('select', {id, class: 'pg-select', title: say('help_' + spec.name)});
      box.append(make('option', {value: '', text: say('unset')}), ...spec.options.map((word) => make('option', {value: word, text: word})));
      row.querySelector('.pg-unset-label').remove();
      head.append(box, clear);
      box.addEventListener('change', () => panel.set(spec.name, box.value || null));
      return {row, show(value) {
        mark(value == null);
        if (value != null && ![...box.options].some((each) => each.value === value)) box.append(make('option', {value, text: value}));
        box.value = value ?? '';
      }};
    }

    // JSON over several lines: a schema, the functions. Broken JSON is said at once, and sent nowhere.
    function json(spec) {
      const {id, row, head, clear, mark} = frame(spec), box = make('textarea', {id, class: 'pg-json', rows: '5', spellcheck: 'false', placeholder: say('placeholder_' + spec.name), title: say('help_' + spec.name)});
      const wrong = make('div', {class: 'pg-wrong', role: 'status'}), example = make('button', {type: 'button', class: 'pg-link', text: say('insert_example')});
      const look = () => {
        let said = '';
        if (box.value.trim()) try { JSON.parse(box.value); } catch (error) { said = error.message; }
        wrong.textContent = said; wrong.hidden = !said; example.hidden = Boolean(box.value.trim());
        box.classList.toggle('pg-invalid', Boolean(said));
      };
      head.append(clear); row.append(box, example, wrong);
      box.addEventListener('input', () => { panel.values()[spec.name] = box.value.trim() ? box.value : null; mark(!box.value.trim()); look(); panel.publish(); });
      example.addEventListener('click', () => { panel.set(spec.name, spec.example); });
      return {row, show(value) { mark(value == null); if (document.activeElement !== box) box.value = value ?? ''; look(); }};
    }

    return spec.name === 'logprobs' ? probabilities(spec) : spec.kind === 'bool' ? toggle(spec) : spec.kind === 'stop' ? chips(spec) :
      spec.kind === 'option' ? option(spec) : spec.kind === 'json' ? json(spec) : spec.kind === 'text' || spec.kind === 'bias' ? written(spec) : numeric(spec);
  };
})();
