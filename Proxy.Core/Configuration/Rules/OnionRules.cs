using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Rules;

/// <summary>What an onion service over many backends needs to be published.</summary>
internal sealed class OnionRules(TorBalancerOptions options, GivenValues given, IConfigurationFiles files, RuleReport report)
{
    public void Check()
    {
        var keys = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var service in options.OnionServices)
            CheckService(service, $"OnionService:{service.Name}", keys);
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var instance in options.Instances)
            CheckInstance(instance, $"Instance:{instance.FullName}", places);
    }

    private void CheckService(OnionServiceOptions service, string section, Dictionary<string, string> keys)
    {
        if (service.Key.Length > 0)
            CheckKey(service.Key, section, keys);
        else if (!given.AnyFailed(section, "Key") && !given.HasUnknown(section))
            report.Error(section, "Key", "needs a Key: the file with the address's secret key");

        int count = options.Instances.Count(one => one.Service == service.Name);
        if (count == 0)
            report.Error(section, "Key", $"has no instance; add an [Instance:{service.Name}/name] for each backend");
        else if (count > OnionServiceOptions.MostInstances)
        {
            report.Error(section, "Key", string.Create(
                CultureInfo.InvariantCulture, $"has {count} instances; {OnionServiceOptions.MostInstances} are the most"));
        }
        else if (count > OnionServiceOptions.MostInOneDescriptor && service.Descriptors == DescriptorSets.One)
        {
            report.Error(section, "Descriptors", string.Create(
                CultureInfo.InvariantCulture,
                $"Descriptors = single, but there are {count} instances: "
                    + $"clients take no more than {OnionServiceOptions.MostInOneDescriptor} introduction points; take auto or distinct"));
        }
    }

    private void CheckKey(string path, string section, Dictionary<string, string> keys)
    {
        string shown = $"Key = \"{ConfText.Printable(path)}\"";
        if (!keys.TryAdd(path, section))
            report.Error(section, "Key", $"{shown} is the key of [{keys[path]}] already; two addresses have two keys");
        else if (!files.Exists(path))
        {
            bool isDirectory = files.ProblemOfMaking(path, isDirectory: false) == "is a directory";
            report.Error(section, "Key", $"{shown} {(isDirectory ? "is a directory" : "does not exist, as far as this user can see")}");
        }
        else if (files.Mode(path) is { } mode && (mode & FileModes.Others) != 0)
        {
            report.Error(section, "Key",
                $"{shown} can be read or written by others (mode {Convert.ToString((int)mode, 8)}): only mode 0600 or less is taken");
        }
    }

    private void CheckInstance(InstanceOptions instance, string section, Dictionary<string, string> places)
    {
        if (!options.OnionServices.Any(one => one.Name == instance.Service))
        {
            string? meant = Spelling.Closest(instance.Service, options.OnionServices.Select(static one => one.Name));
            report.Error(section, "Address", $"belongs to no service: there is no [OnionService:{instance.Service}]"
                + (meant is null ? "" : $"; did you mean [Instance:{meant}/{instance.Name}]?"));
        }

        if (instance.Address.Length == 0)
        {
            if (!given.AnyFailed(section, "Address") && !given.HasUnknown(section))
                report.Error(section, "Address", "needs an Address: its own onion address");
        }
        else if (!places.TryAdd($"{instance.Service}/{instance.Address}", section))
        {
            report.Error(section, "Address",
                $"{instance.Address}.onion is the address of [{places[$"{instance.Service}/{instance.Address}"]}] already; "
                    + "to give it more clients, raise its Weight");
        }
    }
}
