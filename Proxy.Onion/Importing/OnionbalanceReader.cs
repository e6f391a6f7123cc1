using TorBalancer.Configuration.Syntax;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Importing;

/// <summary>Reads Onionbalance's config.yaml as its v3 code does, and says everything that is wrong with it.</summary>
internal sealed class OnionbalanceReader
{
    private const int MostInstances = 10_000, LongestOldLabel = 16;

    private readonly List<ImportProblem> _errors = [];
    private readonly List<ImportProblem> _warnings = [];
    private readonly string _directory;
    private int _instances;

    private OnionbalanceReader(string directory) => _directory = directory;

    /// <summary>Reads one; null when there are errors.</summary>
    /// <param name="directory">Where the file is, absolute: keys with relative paths are looked for there.</param>
    /// <param name="errors">What is wrong with it.</param>
    /// <param name="warnings">What it says beside, and that nothing comes of here.</param>
    public static OnionbalanceConfiguration? Read(
        string text, string directory, out IReadOnlyList<ImportProblem> errors, out IReadOnlyList<ImportProblem> warnings)
    {
        var reader = new OnionbalanceReader(directory);
        (errors, warnings) = (reader._errors, reader._warnings);
        var root = YamlReader.Read(text, out var problem);
        if (problem is not null)
            reader._errors.Add(problem);
        var read = root is null ? null : reader.Read(root);
        return reader._errors.Count == 0 ? read : null;
    }

    private OnionbalanceConfiguration? Read(YamlNode root)
    {
        if (root is not YamlMapping top || top["services"] is null)
        {
            Wrong(root, "there are no services: is this a configuration of Onionbalance?");
            return null;
        }

        string? socket = null;
        var services = new List<OnionbalanceService>();
        foreach (var (key, value) in top.Entries)
        {
            if (key == "services")
                ReadServices(value, services);
            else if (key == "status-socket-location")
                socket = PathOf(value, key);
            else
                Unused(value, key);
        }

        return new OnionbalanceConfiguration(socket, services);
    }

    private void ReadServices(YamlNode node, List<OnionbalanceService> services)
    {
        if (node is not YamlSequence { Items.Count: > 0 } list)
        {
            Wrong(node, "services is no list, or an empty one");
            return;
        }

        foreach (var item in list.Items)
        {
            if (item is YamlMapping service)
                ReadService(service, services);
            else
                Wrong(item, "a service is a mapping with key and instances");
        }
    }

    private void ReadService(YamlMapping node, List<OnionbalanceService> services)
    {
        var instances = new List<OnionbalanceInstance>();
        string? path = null;
        foreach (var (key, value) in node.Entries)
        {
            if (key == "key")
                path = PathOf(value, key);
            else if (key == "instances")
                ReadInstances(value, instances);
            else
                Unused(value, key);
        }

        if (node["instances"] is null)
            Wrong(node, "a service has no instances");
        if (node["key"] is null or YamlScalar { Text: "" })
            Wrong(node, "a service has no key");
        else if (path is not null)
            services.Add(new OnionbalanceService(path, instances, node.Line));
    }

    private void ReadInstances(YamlNode node, List<OnionbalanceInstance> instances)
    {
        if (node is not YamlSequence { Items.Count: > 0 } list)
        {
            Wrong(node, "instances is no list, or an empty one");
            return;
        }

        foreach (var item in list.Items)
        {
            if (_instances++ >= MostInstances)
            {
                Wrong(item, $"more than {MostInstances} instances");
                return;
            }

            if (item is YamlMapping instance)
                ReadInstance(instance, instances);
            else
                Wrong(item, "an instance is a mapping with address");
        }
    }

    private void ReadInstance(YamlMapping node, List<OnionbalanceInstance> instances)
    {
        string? address = null, name = null;
        foreach (var (key, value) in node.Entries)
        {
            if (key == "address")
                address = Text(value, key);
            else if (key == "name")
                name = Text(value, key) is { Length: > 0 } given ? given : null;
            else
                Unused(value, key);
        }

        if (string.IsNullOrEmpty(address))
            Wrong(node, "an instance has no address");
        else if (address.StartsWith('<'))
            Wrong(node, $"{ConfText.Printable(address)} stands where an instance's address belongs: it is in the hostname file there");
        else if (!OnionServiceAddress.TryParse(address, out var parsed, out string? error))
            Wrong(node, $"{ConfText.Printable(address)}: {error}{(IsVersion2(address) ? "; version 2 is gone" : "")}");
        else if (instances.Any(one => one.Address == parsed))
            Wrong(node, $"{parsed} is given twice");
        else
            instances.Add(new OnionbalanceInstance(name, parsed));
    }

    // Relative to the file's own directory; null for none.
    private string? PathOf(YamlNode node, string key)
    {
        if (Text(node, key) is not { Length: > 0 } path)
            return null;
        if (!path.Any(char.IsControl))
            return Path.GetFullPath(path, _directory);
        Wrong(node, $"{key} is no path");
        return null;
    }

    private string? Text(YamlNode node, string key)
    {
        if (node is YamlScalar scalar)
            return scalar.Text;
        Wrong(node, $"{key} is no plain text");
        return null;
    }

    private static bool IsVersion2(string address) =>
        address.Replace(".onion", "", StringComparison.OrdinalIgnoreCase).Length == LongestOldLabel;

    private void Wrong(YamlNode at, string message) => _errors.Add(new ImportProblem(at.Line, message));

    private void Unused(YamlNode at, string key) =>
        _warnings.Add(new ImportProblem(at.Line, $"{ConfText.Printable(key)} has no counterpart and is left out"));
}
