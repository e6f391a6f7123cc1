using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Advice;

/// <summary>
/// What was meant by a variable or an argument that names no key: separators in the wrong place, or the key without its section.
/// </summary>
internal sealed class OverrideAdvice(ConfigurationSchema schema)
{
    private static readonly char[] Separators = ['_', '-', ':', '.', '/', ' '];

    /// <summary>
    /// Section and key, joined by <paramref name="separator"/>; null: no idea. Only words of the schema and the name of a section
    /// come back.
    /// </summary>
    public string? Meant(string written, string separator)
    {
        string[] words = written.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > 12)
            return null;
        for (int first = 1; first < words.Length; first++)
        {
            var section = schema.Sections.FirstOrDefault(one => Spelling.Same(one.Name, string.Concat(words[..first])));
            if (section is null)
                continue;

            // The longest key first: of Worker_w1_Control_Port it is ControlPort.
            for (int last = section.IsNamed ? first + 1 : first; last < words.Length; last++)
            {
                var key = section.Keys.FirstOrDefault(one => Spelling.Same(one.Name, string.Concat(words[last..])));
                string name = section.IsNamed ? string.Join('-', words[first..last]) : "";
                if (key is not null && (section.IsNamed ? section.IsName(name) : last == first))
                    return string.Join(separator, section.IsNamed ? [section.Name, name, key.Name] : (string[])[section.Name, key.Name]);
            }
        }

        return Alone(string.Concat(words), separator);
    }

    /// <summary>A key without its section, where one section without a name has it.</summary>
    private string? Alone(string word, string separator)
    {
        var homes = schema.Sections.Where(section => !section.IsNamed && section.Keys.Any(key => Spelling.Same(key.Name, word))).ToList();
        return homes.Count == 1 ? homes[0].Name + separator + homes[0].Keys.First(key => Spelling.Same(key.Name, word)).Name : null;
    }
}
