using System.Globalization;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// A rule that iptables has made, as iptables-save writes it: what nft shows as "xt" and no more is in words here. Rules of plain
/// conditions are not asked about: nft shows those as its own.
/// </summary>
internal sealed class IptablesRule
{
    private readonly List<(string Match, List<Option> Options)> _matches = [];
    private readonly List<Option> _target = [];

    private IptablesRule(IReadOnlyList<string> words)
    {
        var into = new List<Option>();
        bool isNot = false;
        for (int i = 2; i < words.Count; i++)
        {
            string word = words[i];
            if (word is "-m" or "-j" or "-g" && i + 1 < words.Count)
            {
                into = word == "-m" ? [] : _target;
                string name = words[++i];
                if (word == "-m")
                    _matches.Add((name, into));
                else
                    Target = name;
            }
            else if (word == "!")
            {
                isNot = true;
                continue;
            }
            else if (word.StartsWith('-'))
                into.Add(new Option(word.TrimStart('-'), isNot, []));
            else if (into.Count > 0)
                into[^1].Values.Add(word);
            isNot = false;
        }
    }

    /// <summary>What it does, or the chain that it jumps to; empty: nothing.</summary>
    public string Target { get; } = "";

    /// <summary>Reads all that iptables-save or ip6tables-save writes, each chain's rules in order.</summary>
    /// <param name="family">ip or ip6.</param>
    /// <param name="into">Takes them, by family, table and chain.</param>
    public static void Read(string text, string family, Dictionary<(string Family, string Table, string Chain), List<IptablesRule>> into)
    {
        string table = "";
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith('*'))
                table = line[1..].Trim();
            else if (line.StartsWith("-A ", StringComparison.Ordinal) && Words(line) is [_, var chain, ..] words)
            {
                if (!into.TryGetValue((family, table, chain), out var rules))
                    into.Add((family, table, chain), rules = []);
                rules.Add(new IptablesRule(words));
            }
        }
    }

    /// <summary>The value of an option of the target; null: it has none.</summary>
    public string? TargetOption(string name) => _target.Find(one => one.Name == name)?.Values.FirstOrDefault();

    /// <summary>Whether a match of this name holds for a packet; null: of some, or it asks for what is not known here.</summary>
    public bool? Fits(string match, NftPacket packet)
    {
        // iptables calls it state where it was asked for by that name.
        var found = _matches.FindAll(one => one.Match == match || (match == "conntrack" && one.Match == "state"));
        if (found.Count != 1)
            return null;
        bool? all = true;
        foreach (var option in found[0].Options)
        {
            bool? fits = option.Fits(packet);
            if (fits == false)
                return false;
            all = fits is null ? null : all;
        }

        return all;
    }

    /// <summary>As a shell reads them: a comment is in quotes.</summary>
    private static List<string> Words(string line)
    {
        var words = new List<string>();
        var word = new System.Text.StringBuilder();
        bool isQuoted = false, isWord = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == '\\' && i + 1 < line.Length)
                word.Append(line[++i]);
            else if (c == '"')
                (isQuoted, isWord) = (!isQuoted, true);
            else if (char.IsWhiteSpace(c) && !isQuoted)
            {
                if (isWord || word.Length > 0)
                    words.Add(word.ToString());
                word.Clear();
                isWord = false;
            }
            else
                word.Append(c);
        }

        if (isWord || word.Length > 0)
            words.Add(word.ToString());
        return words;
    }

    /// <summary>One of a match or a target: what is asked for, or not.</summary>
    private sealed record Option(string Name, bool IsNot, List<string> Values)
    {
        public bool? Fits(NftPacket packet)
        {
            string[] values = [.. Values.SelectMany(static value => value.Split(','))];
            bool? fits = Name switch
            {
                "comment" => true,
                "ctstate" or "state" => values.Contains("NEW") || ((packet.IsTurned || packet.IsSentAway) && values.Contains("DNAT")),
                "ctdir" => values.Contains("ORIGINAL"),
                "dst-type" => values.Contains(packet.IsTurned ? "LOCAL" : "UNICAST"),
                "dports" or "destination-ports" or "dport" => packet.Port is { } port ? Array.Exists(values, one => Has(one, port)) : null,
                _ => null,
            };
            return IsNot ? !fits : fits;
        }

        private static bool Has(string range, int port)
        {
            int colon = range.IndexOf(':');
            return int.TryParse(colon < 0 ? range : range[..colon], CultureInfo.InvariantCulture, out int first)
                && int.TryParse(colon < 0 ? range : range[(colon + 1)..], CultureInfo.InvariantCulture, out int last)
                && port >= first && port <= last;
        }
    }
}
