namespace TorBalancer.TorControl.Syntax;

/// <summary>
/// Reads a line of a reply from the left: words, and KEY=value or KEY="quoted value". Takes any text whatever: it never
/// throws, and each call consumes at least one character or says that there is no more.
/// </summary>
internal ref struct ControlTokens(ReadOnlySpan<char> text)
{
    private ReadOnlySpan<char> _rest = text;

    /// <summary>The next word up to a space, unquoted when it begins with a quote. Not split at '='.</summary>
    public bool TryWord(out string word)
    {
        _rest = _rest.TrimStart(' ');
        if (_rest.IsEmpty)
        {
            word = "";
            return false;
        }

        word = TakeValue();
        return true;
    }

    /// <summary>The next word if it is not KEY=value; otherwise it stays.</summary>
    public bool TryPositional(out string word)
    {
        _rest = _rest.TrimStart(' ');
        if (KeyLength(_rest) > 0)
        {
            word = "";
            return false;
        }

        return TryWord(out word);
    }

    /// <summary>
    /// All KEY=value that are left; words between them that are no such thing are skipped. Of two with one key the first counts.
    /// </summary>
    public ControlKeywords Keywords()
    {
        Dictionary<string, string>? found = null;
        while (true)
        {
            _rest = _rest.TrimStart(' ');
            if (_rest.IsEmpty)
                return found is null ? ControlKeywords.Empty : new ControlKeywords(found);
            int length = KeyLength(_rest);
            if (length == 0)
            {
                TakeValue();
                continue;
            }

            string key = _rest[..length].ToString();
            _rest = _rest[(length + 1)..];
            found ??= new Dictionary<string, string>(8, StringComparer.OrdinalIgnoreCase);
            found.TryAdd(key, TakeValue());
        }
    }

    /// <summary>Length of the key when the text begins with KEY=, else 0.</summary>
    private static int KeyLength(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '=')
                return i;
            if (!char.IsAsciiLetterOrDigit(text[i]) && text[i] is not ('_' or '-'))
                return 0;
        }

        return 0;
    }

    private string TakeValue()
    {
        if (ControlString.TryUnquote(_rest, out string? quoted, out int consumed))
        {
            _rest = _rest[consumed..];
            return quoted;
        }

        // An unclosed quote is no quote: its text is taken as it is, up to the next space.
        int space = _rest.IndexOf(' ');
        var value = space < 0 ? _rest : _rest[..space];
        _rest = _rest[value.Length..];
        return value.ToString();
    }
}
