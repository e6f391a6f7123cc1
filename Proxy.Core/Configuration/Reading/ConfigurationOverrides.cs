using System.Globalization;
using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Reading;

/// <summary>One value from outside the file.</summary>
/// <param name="Section">"Balancing" or "Worker:w1".</param>
internal sealed record ConfigurationOverride(string Section, string Key, string Value, ConfigurationOrigin Origin)
{
    /// <summary>Without the value, which may be a password.</summary>
    public override string ToString() => $"[{Section}] {Key} ({Origin})";
}

/// <summary>
/// Values from the environment (<c>TORBALANCER_Worker__w1__Address</c>) and the command line
/// (<c>--Worker:w1:Address=…</c>), in the forms that .NET programs made usual.
/// </summary>
internal static class ConfigurationOverrides
{
    /// <summary>The admin API's token, for the command line: a secret of the caller's and no key.</summary>
    public const string TokenVariable = "TORBALANCER_ADMIN_TOKEN";

    private const string Prefix = "TORBALANCER_";

    public static List<ConfigurationOverride> FromEnvironment(
        IReadOnlyDictionary<string, string> environment, ConfigurationIssues issues, OverrideAdvice advice)
    {
        var found = new List<ConfigurationOverride>();
        var seen = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

        // The environment has no order of its own; a sorted one makes workers from there come in the same order each time.
        var variables = new List<string>();
        foreach (string variable in environment.Keys)
        {
            if (!variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
                WarnOfPrefix(variable, issues, advice);
            else if (!variable.Equals(ConfigurationFileLocator.Variable, StringComparison.OrdinalIgnoreCase) && variable != TokenVariable)
                variables.Add(variable);
        }

        variables.Sort(StringComparer.Ordinal);
        foreach (string variable in variables)
        {
            var origin = new ConfigurationOrigin(ConfigurationLayer.Environment, ConfText.Printable(variable));
            string path = variable[Prefix.Length..].Replace("__", ":", StringComparison.Ordinal);
            if (!TrySplit(path, out string section, out string key))
            {
                issues.Warning(origin, $"names no key and is not used; keys are set as {Prefix}Section__Key, with two underscores"
                    + Meant(variable, advice));
            }
            else if (!seen.TryAdd(path, variable))
                issues.Error(origin, $"sets the same key as {ConfText.Printable(seen[path])}, which differs in letter case only");
            else
                found.Add(new ConfigurationOverride(section, key, environment[variable], origin));
        }

        return found;
    }

    /// <param name="malformed">True when an argument has not the form of an override.</param>
    public static List<ConfigurationOverride> FromArguments(
        IReadOnlyList<string> arguments, ConfigurationIssues issues, OverrideAdvice advice, out bool malformed)
    {
        malformed = false;
        var found = new List<ConfigurationOverride>();
        for (int i = 0; i < arguments.Count; i++)
        {
            var origin = new ConfigurationOrigin(ConfigurationLayer.CommandLine, Line: i + 1);
            string argument = arguments[i];
            int equals = argument.IndexOf('=');
            string option = equals < 0 ? argument : argument[..equals];
            if (!option.StartsWith("--", StringComparison.Ordinal) || !TrySplit(option[2..], out string section, out string key))
            {
                malformed = true;

                // The argument itself is not shown: it may be what is left of a password with spaces.
                string number = (i + 1).ToString(CultureInfo.InvariantCulture);
                string? meant = advice.Meant(option, ":");
                string hint = meant is null ? "" : $"; did you mean --{meant}?";
                issues.Error(origin, $"override {number} is not --Section:Key=value or --Section:Key value; "
                    + $"a file is named with --config FILE{hint}");
                continue;
            }

            if (equals >= 0)
                found.Add(new ConfigurationOverride(section, key, argument[(equals + 1)..], origin));
            else if (i + 1 < arguments.Count && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal))
                found.Add(new ConfigurationOverride(section, key, arguments[++i], origin));
            else
            {
                malformed = true;
                issues.Error(origin, $"{ConfText.Printable(option)} has no value");
            }
        }

        return found;
    }

    /// <summary>
    /// A variable whose prefix is misspelt sets nothing, and nobody would see it. Two underscores show that a key was meant.
    /// </summary>
    private static void WarnOfPrefix(string variable, ConfigurationIssues issues, OverrideAdvice advice)
    {
        if (!variable.Contains("__", StringComparison.Ordinal) || char.ToUpperInvariant(variable[0]) != 'T')
            return;
        for (int end = 0; end < variable.Length; end++)
        {
            if (variable[end] != '_' || Spelling.Distance(variable.AsSpan(0, end), Prefix.AsSpan(0, Prefix.Length - 1)) > 2
                || advice.Meant(variable[(end + 1)..], "__") is not { } meant)
                continue;
            issues.Warning(new ConfigurationOrigin(ConfigurationLayer.Environment, ConfText.Printable(variable)),
                $"is not used; did you mean {Prefix}{meant}?");
            return;
        }
    }

    private static string Meant(string variable, OverrideAdvice advice)
    {
        if (Spelling.Distance(variable, ConfigurationFileLocator.Variable) <= 5
            && variable.Contains("CONF", StringComparison.OrdinalIgnoreCase))
            return $"; did you mean {ConfigurationFileLocator.Variable}?";
        return advice.Meant(variable[Prefix.Length..], "__") is { } meant ? $"; did you mean {Prefix}{meant}?" : "";
    }

    /// <summary>The last colon divides section and key: Worker:w1:Address.</summary>
    private static bool TrySplit(string path, out string section, out string key)
    {
        int colon = path.LastIndexOf(':');
        section = colon < 0 ? "" : path[..colon];
        key = path[(colon + 1)..];
        return section.Length > 0 && key.Length > 0;
    }
}
