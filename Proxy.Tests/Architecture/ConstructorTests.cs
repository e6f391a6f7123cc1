using System.Reflection;
using System.Runtime.CompilerServices;
using TorBalancer.Connecting;
using TorBalancer.Daemon;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Architecture;

/// <summary>
/// A constructor with many parameters is a type with several ideas. Records are values: there each parameter is a member.
/// </summary>
public class ConstructorTests
{
    private const int Most = 7;

    /// <summary>One row of the table of keys.</summary>
    private static readonly string[] Exempt = ["SchemaKey`1"];

    [Test]
    public void No_constructor_has_more_parameters_than_one_can_see_at_a_glance()
    {
        Assembly[] assemblies =
        [
            typeof(StreamOpener).Assembly, typeof(DescriptorBuilder).Assembly, typeof(Program).Assembly, typeof(TestNetwork).Assembly,
        ];
        var wide = assemblies.SelectMany(static assembly => assembly.GetTypes())
            .Where(static type => !IsRecord(type) && !IsGenerated(type) && !Exempt.Contains(type.Name))
            .SelectMany(static type => type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(static constructor => constructor.GetParameters().Length > Most);

        Assert.That(wide.Select(static constructor => constructor.DeclaringType!.FullName), Is.Empty);
    }

    private static bool IsGenerated(Type type) =>
        type.IsDefined(typeof(CompilerGeneratedAttribute)) || type.Name.StartsWith("__", StringComparison.Ordinal);

    private static bool IsRecord(Type type) =>
        type.GetMethod("PrintMembers", BindingFlags.Instance | BindingFlags.NonPublic) is not null;
}
